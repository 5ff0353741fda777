"""What a shell is given to complete a command line."""

from __future__ import annotations

import subprocess

import pytest

from command_line import invoke
from procwire.cli.completion import SHELLS, candidates


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["config", "detect", "dictionary", "guid", "hunt", "lake", "map", "read", "record", "sigma", "sql"]),
        (["re"], ["read", "record"]),
        (["lake", "ex"], ["expire", "export"]),
        (["lake", "verify", "--e"], ["--expect"]),
        (["read", "x.evtx", "--to", "cs"], ["csv", "csv-safe"]),
        (["read", "--where", "--to"], []),
        (["read", "--for"], ["--force"]),
        (["read", ""], []),
        (["nonsense", ""], []),
        (["read", "--h"], ["--help"]),
    ],
)
def test_words_become_verbs_options_and_choices(words: list[str], expected: list[str]) -> None:
    assert candidates(words) == expected
    assert invoke("--complete", *words).stdout.split() == expected


def test_bash_completes() -> None:
    script = SHELLS["bash"] + (
        'procwire() { printf "%s\\n" --to --timeout; }\nCOMP_WORDS=(procwire hunt --t); COMP_CWORD=2; _procwire\n'
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("--to --timeout\n", "")


def test_other_shells_are_refused() -> None:
    for words in (("tcsh",), (), ("bash", "zsh")):
        result = invoke("--completion", *words)
        assert result.exit_code == 2
        assert "expected one of bash, zsh, fish" in result.stderr
    assert invoke("--completion", "bash").stdout == SHELLS["bash"]
