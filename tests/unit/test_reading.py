"""Files are YAML 1.2, and what is wrong with them is said with file and line."""

import pytest

from advdyn.study.errors import ConfigError
from advdyn.study.reading import as_yaml12, read


def write(folder, text):
    file = folder / "study.yaml"
    file.write_text(text)
    return file


def test_an_exponent_without_a_point_is_a_number(tmp_path):
    assert read(write(tmp_path, "a: 1e-3\nb: [1E3, 0.30000000000000004]\nc: yes\n")).data == {
        "a": 0.001,
        "b": [1000.0, 0.3],
        "c": "yes",
    }


def test_a_key_written_twice_is_an_error_with_its_line(tmp_path):
    with pytest.raises(ConfigError, match=r"study.yaml:3: .*duplicate key.*allowed: each key once"):
        read(write(tmp_path, "a: 1\nb: 2\na: 3\n"))


def test_what_is_no_yaml_is_an_error_with_its_line(tmp_path):
    with pytest.raises(ConfigError, match=r"study.yaml:2: not YAML"):
        read(write(tmp_path, "a: 1\nb: : 2\nc: 3\n"))


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "just words\n"])
def test_a_file_that_is_no_mapping_is_an_error(tmp_path, text):
    with pytest.raises(ConfigError, match="allowed: a mapping"):
        read(write(tmp_path, text))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"none.yaml: no such file"):
        read(tmp_path / "none.yaml")


def test_an_override_merges_mappings_replaces_lists_and_null_removes(tmp_path):
    base = read(write(tmp_path, "settings: {a: 1, b: 2}\nlanes:\n  p: [1, 2]\n  q: [3]\n"))
    over = tmp_path / "over.yaml"
    over.write_text("settings: {b: 5}\nlanes:\n  p: null\n  q: [4, 5]\n")
    merged = base.updated(read(over))
    assert merged.data == {"settings": {"a": 1, "b": 5}, "lanes": {"q": [4, 5]}}
    assert merged.where("settings", "a").endswith("study.yaml:1")
    assert merged.where("settings", "b").endswith("over.yaml:1")
    assert merged.where("lanes", "q").endswith("over.yaml:4")
    assert base.data["settings"] == {"a": 1, "b": 2}


def test_snakemakes_configuration_is_read_as_the_files_are():
    assert as_yaml12({"a": "1e-3", "b": {"c": "true", "d": "null"}, "e": ["0.5", "x"], "f": ""}) == {
        "a": 0.001,
        "b": {"c": True, "d": None},
        "e": [0.5, "x"],
        "f": "",
    }
