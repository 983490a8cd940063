"""`archsim macro` and `archsim validate --silicon` on the command line."""

from __future__ import annotations

import json


def test_table_json_and_plot(run, tmp_path):
    done = run("macro", "neurram", "--plot", "curves.png")
    assert done.exit_code == 0
    assert "energy per invocation" in done.stdout
    assert "Published beside computed" in done.stdout
    assert (tmp_path / "curves.png").stat().st_size > 1000
    done = run("macro", "neurram", "--set", "macro.adc_bits=4", "--format", "json")
    found = json.loads(done.stdout)
    assert found["settings"]["adc_bits"] == 4
    assert set(found["figures"]["energy_pJ"]) == {"value", "interval80", "interval90"}


def test_a_macro_of_ones_own(run, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "extends: hermes\nname: mine\nmacro: {adc_bits: 6}\npublished: []\n"
    )
    done = run("macro", "mine.yaml", "--format", "csv")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].startswith("key,")


def test_bad_input_is_one_message(run):
    done = run("macro", "neuram")
    assert done.exit_code == 2
    assert "neurram" in done.stderr
    done = run("macro", "neurram", "--set", "macro.sensing=charge-redistribution")
    assert done.exit_code == 2
    assert "macro.sensing" in done.stderr
    assert "Traceback" not in done.stderr


def test_silicon_table_of_other_chips(run, tmp_path):
    head = "macro,node_nm,memory,sensing,dot_product_length,adcs,adc_bits,energy_per_invocation_pJ"
    rows = ["one,28,sram,QR,128,32,6,20", "two,28,glue,QR,128,32,6,20"]
    (tmp_path / "t.csv").write_text("\n".join([head, *rows]))
    done = run("validate", "--silicon", "t.csv", "--format", "json", "--plot", "score.png")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["metrics"]["energy"]["sram"]["n"] == 1
    assert found["metrics"]["energy"]["nvm"]["median_factor"] is None
    assert found["skipped"][0]["macro"] == "two"
    assert (tmp_path / "score.png").is_file()


def test_silicon_needs_a_table(run, tmp_path):
    assert run("validate", "--silicon", "none.csv").exit_code == 2
    (tmp_path / "t.csv").write_text("a\n1\n")
    done = run("validate", "--silicon", "t.csv")
    assert done.exit_code == 2
    assert "node_nm" in done.stderr
    done = run("validate", "--silicon", "t.csv", "--reference", ".")
    assert done.exit_code == 2
