"""The scripts of the study degeneration, one after the other on stand-ins for Snakemake's object: files in, files out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from advdyn import claims, io
from advdyn.degeneration.collect import SYSTEM
from advdyn.degeneration.model import Model
from tests import jobs
from tests.jobs import CODE, Named, asked, run

SETTINGS = Model(
    n_train=64, width=8, d_width=8, latent=4, batch=16, epochs=2, passes=[1, 2], chain_passes=[1, 2], shown=6,
    fit_pairs=64, pairs=[32, 64], heldout=30, decoder_width=4, decoder_epochs=1, fresh_epochs=1, classifier_epochs=2,
    reference_draws=2, line_steps=20, device="cpu",
)  # fmt: skip
CELLS = [{"kind": "generator", "sigma": [0.0]}, {"kind": "degenerator", "sigma": [0.0, 0.5]},
         {"kind": "chain", "sigma": [0.5]}]  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return jobs.images(tmp_path_factory.mktemp("data"), 28, [70, 20, 40])


@pytest.fixture(scope="module")
def chain(images, tmp_path_factory):
    """Every rule of the study once, in three cells."""
    folder = tmp_path_factory.mktemp("degeneration")
    (classifier,) = run(
        "train_degeneration_classifier",
        folder,
        "classifier.nc",
        jobs.params(SETTINGS, "train_classifier"),
        data=[images],
    )
    (urandom,) = run("draw_degeneration", folder, "urandom.nc", {})
    made, outputs, weights = {"train": [], "measure": []}, [], []
    for i, cell in enumerate(CELLS):
        out = Named(
            record=str(folder / f"{i}.nc"), outputs=str(folder / f"{i}.outputs.nc"),
            weights=str(folder / f"{i}.safetensors"),
        )  # fmt: skip
        run("train_degeneration", folder, out, jobs.params(SETTINGS, "train", **cell), data=[images])
        given = {"data": [images], "record": out.record, "outputs": out.outputs}
        made["train"].append(out.record)
        made["measure"] += run(
            "measure_degeneration", folder, f"measure-{i}.nc", jobs.params(SETTINGS, "measure"), **given
        )
        outputs.append(out.outputs)
        weights.append(out.weights)
    made["measure_references"] = run(
        "measure_degeneration_references", folder, "references.nc", jobs.params(SETTINGS, "measure_references"), data=[images],
        urandom=urandom, classifier=classifier,
    )  # fmt: skip
    made["train_classifier"] = [classifier]
    made["linearise"] = run("linearise_degeneration", folder, "saddle.nc", jobs.params(SETTINGS, "linearise"))
    made["train_line"] = run("train_degeneration_line", folder, "line.nc", jobs.params(SETTINGS, "train_line"))
    source = Named(
        images=str(folder / "results/degeneration/source/images.bin"),
        discriminator=str(folder / "results/degeneration/source/discriminator.bin"),
        record=str(folder / "results/degeneration/source.nc"),
    )
    Path(source.images).parent.mkdir(parents=True)
    both = {"data": [images], "record": made["train"][1:], "weights": weights[1:], "outputs": outputs[1:]}
    run("export_degeneration", folder, source, jobs.params(SETTINGS, "export"), **both)
    made["overwrite"] = run(
        "overwrite_degeneration", folder, "results/degeneration/overwrite.nc", jobs.params(SETTINGS, "overwrite"),
        record=made["train"][1:], outputs=outputs[1:], weights=weights[1:], source=[source.images, source.discriminator],
        export=source.record,
    )  # fmt: skip
    made["illustrate"] = run(
        "illustrate_degeneration", folder, "pictures.nc", jobs.params(SETTINGS, "illustrate"), data=[images], record=made["train"][:2],
        outputs=outputs[:2], classifier=classifier,
    )  # fmt: skip
    return folder, made


@pytest.fixture(scope="module")
def collected(chain):
    folder, made = chain
    cells = [{"kind": cell["kind"]} for cell in CELLS]
    parts = {step: asked(files, cells if step in ("train", "measure") else [{}]) for step, files in made.items()}
    reference = {name: getattr(SETTINGS, name) for name in SYSTEM}
    given = {"parts": parts, "parameters": Model.described(), "partial": "", "reference": reference}
    return run("collect_degeneration", folder, "study.nc", given, **made)[0]


def test_the_chain_of_scripts_ends_in_one_data_set_over_runs(collected):
    study = io.read(collected)
    assert study.sizes["run"] == 4
    assert all(study[name].dims == ("run",) for name in SYSTEM)
    assert list(study["sigma"].values) == [0.0, 0.0, 0.5, 0.5]
    assert study["dd"].dims == ("run", "seed", "passed")
    assert np.isfinite(study["dd"]).all()
    assert ((study["dd"] >= 0) & (study["dd"] <= 100)).all()
    assert float(study["altered_bytes"]) == 0
    for name, variable in study.variables.items():
        assert {"long_name", "units"} <= set(variable.attrs) or variable.dtype.kind in "OU", name


@pytest.mark.parametrize("measured", [[0], [1], [2], [0, 2], [1, 2], []])
def test_a_study_of_which_only_some_jobs_are_measured_is_collected_and_assessed(chain, measured):
    folder, made = chain
    cells = [{"kind": cell["kind"]} for cell in CELLS]
    files = made | {"measure": [made["measure"][i] for i in measured], "overwrite": [], "illustrate": []}
    places = {"train": cells, "measure": [cells[i] for i in measured]}
    parts = {step: asked(of, places.get(step, [{}] * len(of))) for step, of in files.items()}
    reference = {name: getattr(SETTINGS, name) for name in SYSTEM}
    given = {"parts": parts, "parameters": Model.described(), "partial": "some jobs", "reference": reference}
    (file,) = run("collect_degeneration", folder, "partial.nc", given, **files)
    study = io.read(file)
    assert study.sizes["run"] == 4
    kinds = {CELLS[i]["kind"] for i in measured}
    if measured:
        there = np.isfinite(study["dd"]).any(["seed", "passed"])
        assert set(study["kind"].values[there]) == kinds
    (table,) = run("assess_degeneration", folder, "partial.csv", {}, study=file)
    assert set(pd.read_csv(table)["verdict"]) <= set(claims.VERDICTS)
    run("tabulate_degeneration", folder, "partial-table.csv", {}, study=file)


def test_the_copy_was_overwritten_and_the_source_was_not(chain, collected):
    study = io.read(collected)
    assert int(study["source_unchanged"]) == int(study["verified"]) == 1
    np.testing.assert_array_equal(study["bytes_overwritten"], study["bytes_present"])
    assert (study["bytes_differing"] > 50).all()
    source = chain[0] / "results/degeneration/source/images.bin"
    assert source.stat().st_size == 64 * 784


def test_table_1_has_the_rows_of_the_paper(chain, collected):
    (file,) = run("tabulate_degeneration", chain[0], "table1.csv", {}, study=collected)
    table = pd.read_csv(file)
    for name in ("VGG", "Inception", "AlphaGo", "DAN"):
        assert table["model"].str.contains(name).any(), name


def test_the_claims_are_measured_on_what_was_collected(chain, collected):
    (table,) = run("assess_degeneration", chain[0], "claims.csv", {}, study=collected)
    found = pd.read_csv(table)
    assert set(found["verdict"]) <= set(claims.VERDICTS)
    assert (found["study"] == "degeneration").all()


def test_bytes_of_the_operating_system_that_were_altered_are_refused(chain, images):
    folder, _ = chain
    drawn = io.read(folder / "urandom.nc")
    drawn["byte"][0] = np.uint8(int(drawn["byte"][0]) ^ 1)
    broken = str(folder / "broken.nc")
    io.write(drawn, broken, {}, CODE)
    given = {"data": [images], "urandom": broken, "classifier": str(folder / "classifier.nc")}
    with pytest.raises(SystemExit):
        run("measure_degeneration_references", folder, "no.nc", jobs.params(SETTINGS, "measure_references"), **given)
    assert not (folder / "no.nc").exists()
