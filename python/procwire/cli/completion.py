"""Completion of a command line in a shell: a script that asks `procwire --complete WORD...` for what may come next."""

from __future__ import annotations

from procwire.cli.verbs import VERBS, verb_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SHELLS", "candidates"]

SHELLS = {
    "bash": """\
_procwire() {
    mapfile -t COMPREPLY < <(procwire --complete "${COMP_WORDS[@]:1:COMP_CWORD}")
    [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default
}
complete -F _procwire procwire
""",
    "zsh": """\
#compdef procwire
_procwire() {
    local -a found
    found=("${(@f)$(procwire --complete "${(@)words[2,CURRENT]}")}")
    [[ -n "$found" ]] && compadd -- "${found[@]}" || _files
}
compdef _procwire procwire
""",
    "fish": """\
complete -c procwire -a '(procwire --complete (commandline -opc)[2..-1] (commandline -ct))'
""",
}
"""By shell: what `procwire --completion SHELL` prints, to be evaluated by the shell when it starts."""


def candidates(words: Sequence[str]) -> list[str]:
    """Return what the last of these words may become: verbs, options, or the choices of the option before it.

    Empty where it may be anything: a path, mostly.
    """
    *before, last = words or [""]
    count = next((length for length in (1, 2) if tuple(before[:length]) in VERBS), None)
    if count is None:
        known = {
            name[len(before)] for name in VERBS if name[: len(before)] == tuple(before) and len(name) > len(before)
        }
        return sorted(each for each in known if each.startswith(last)) if len(before) < 2 else []
    options = {
        name: each for each in verb_named(tuple(before[:count])).options for name in each.flags if not each.hidden
    }
    if len(before) > count and before[-1] in options and options[before[-1]].takes_value:
        return [choice for choice in options[before[-1]].choices if choice.startswith(last)]
    return [name for name in (*options, "--help") if name.startswith(last)] if last.startswith("-") else []
