"""What each shell is told: a script that asks archspec at each word."""

from __future__ import annotations

PROGRAMS = ("archspec", "archspec-jax")
"""The commands that are completed: the second is what the distribution is called."""

_BASH = r"""# Completion of archspec in bash. Made by `archspec --show-completion bash`.
_archspec_complete() {
    local line program="${COMP_WORDS[0]/#\~/$HOME}"
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(_ARCHSPEC_BREAKS="$COMP_WORDBREAKS" "$program" --complete bash "$COMP_POINT" "$COMP_LINE" 2>/dev/null)
    if [ "${#COMPREPLY[@]}" = 1 ]; then
        case "${COMPREPLY[0]}" in
            */ | *= | *'#') compopt -o nospace ;;
        esac
    fi
}
complete -F _archspec_complete PROGRAMS
"""

_ZSH = r"""#compdef PROGRAMS
# Completion of archspec in zsh. Made by `archspec --show-completion zsh`.
_archspec() {
    local -a asked whole parts whole_shown parts_shown
    local line value about
    asked=("${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}")
    for line in "${(@f)$("${asked[1]}" --complete zsh "${(@)asked[2,-1]}" 2>/dev/null)}"; do
        [[ -n "$line" ]] || continue
        value="${line%%$'\t'*}"
        about="${line#*$'\t'}"
        [[ -n "$about" ]] && about="$value  -- $about" || about="$value"
        if [[ "$value" == *[/=#] ]]; then
            parts+=("$value"); parts_shown+=("$about")
        else
            whole+=("$value"); whole_shown+=("$about")
        fi
    done
    (( $#whole )) && compadd -l -d whole_shown -a whole
    (( $#parts )) && compadd -l -S '' -d parts_shown -a parts
}
if [[ "$zsh_eval_context[-1]" == loadautofunc ]]; then
    _archspec "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _archspec PROGRAMS
fi
"""

_FISH = r"""# Completion of archspec in fish. Made by `archspec --show-completion fish`.
function __archspec_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l raw (commandline -ct)
    set -l current (string unescape -- $raw 2>/dev/null; or printf %s $raw)
    $program --complete fish $words "$current" 2>/dev/null
end
for program in PROGRAMS
    complete -c $program -f -a '(__archspec_complete)'
end
"""

SHELLS = ("bash", "zsh", "fish")
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str) -> str:
    """The script of a shell."""
    return _SCRIPTS[shell].replace("PROGRAMS", " ".join(PROGRAMS))
