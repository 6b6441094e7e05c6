"""A rule's code is the import closure of its script, and no study is made of another study's code."""

from pathlib import Path

import pytest

from advdyn.closure import closure
from advdyn.study.registry import STUDIES

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))


def names(paths, root):
    return {p.relative_to(root).as_posix() for p in paths}


def test_every_form_of_import_is_followed(tmp_path):
    files = {
        "pkg/__init__.py": "",
        "pkg/a.py": "from pkg import b\n",
        "pkg/b.py": "import math\n",
        "pkg/sub/__init__.py": "from . import c\n",
        "pkg/sub/c.py": "from .. import d\nfrom .e import thing\n",
        "pkg/sub/e.py": "def f():\n    import pkg.late\n",
        "pkg/d.py": "",
        "pkg/late.py": "",
        "pkg/other.py": "import numpy\n",
        "script.py": "from pkg import a\nfrom pkg.sub.c import x\nimport pkgother\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = names(closure(tmp_path / "script.py", tmp_path, "pkg"), tmp_path)
    assert found == {n for n in files if n.startswith("pkg/")} - {"pkg/other.py"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_no_studys_code_holds_another_study(script):
    folders = {p.parts[1] for p in map(Path, names(closure(script, ROOT), ROOT)) if p.parts[1] in STUDIES}
    own = {study for study in STUDIES if f"_{study}" in script.stem}
    assert folders <= own


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_no_script_imports_the_registry_or_a_model(script):
    found = names(closure(script, ROOT), ROOT)
    assert not {f for f in found if f.endswith(("/model.py", "registry.py"))}


def test_importing_the_package_costs_nothing():
    assert "import" not in (ROOT / "advdyn" / "__init__.py").read_text().split('"""')[2]
