# SPDX-License-Identifier: MIT
# bash completion for firn
# The options come from `firn VERB --help`, so this file never lags behind the program.

_firn_options()
{
    command "$@" --help 2>/dev/null |
        sed -n 's/^  \(-[^ ]\),\( --[^ ]*\).*/\1\2/p; s/^ *\(--[^ ]*\).*/\1/p'
}

_firn()
{
    local cur prev at=1 verbs verb
    COMPREPLY=()
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD - 1]}
    verbs="extract watch status pause resume rescan stop metrics ls stat show verify repair compact \
        merge export why model preview bench probe bn help --help --version"
    # The verb stands behind `firn`, `firn help`, `firn bn` or `firn help bn`.
    if ((COMP_CWORD > at)) && [[ ${COMP_WORDS[at]} == help ]]; then
        ((at++))
    fi
    verb=("${COMP_WORDS[at]}")
    if ((COMP_CWORD > at)) && [[ ${COMP_WORDS[at]} == bn ]]; then
        ((at++))
        verb+=("${COMP_WORDS[at]}")
        verbs="estimate merge apply diff advise --help"
    fi
    if ((COMP_CWORD == at)); then
        mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur")
        return
    fi
    case $prev in
    --exif) mapfile -t COMPREPLY < <(compgen -W "ignore apply" -- "$cur"); return ;;
    --decode) mapfile -t COMPREPLY < <(compgen -W "exact fast" -- "$cur"); return ;;
    --views) mapfile -t COMPREPLY < <(compgen -W "center flip five ten random:" -- "$cur"); return ;;
    --store) mapfile -t COMPREPLY < <(compgen -W "f32 f16" -- "$cur"); return ;;
    --method)
        mapfile -t COMPREPLY < <(compgen -W "sequential population cumulative ema" -- "$cur")
        return ;;
    --order) mapfile -t COMPREPLY < <(compgen -W "folder content" -- "$cur"); return ;;
    --priority) mapfile -t COMPREPLY < <(compgen -W "low normal" -- "$cur"); return ;;
    --scale) mapfile -t COMPREPLY < <(compgen -W "common each" -- "$cur"); return ;;
    --log) mapfile -t COMPREPLY < <(compgen -W "text journal json" -- "$cur"); return ;;
    --io) mapfile -t COMPREPLY < <(compgen -W "uring threads" -- "$cur"); return ;;
    --memory) mapfile -t COMPREPLY < <(compgen -W "normal small" -- "$cur"); return ;;
    --cpu) mapfile -t COMPREPLY < <(compgen -W "generic sse4 avx2 neon" -- "$cur"); return ;;
    --select) mapfile -t COMPREPLY < <(compgen -W "label= class= path= state=" -- "$cur")
        compopt -o nospace 2>/dev/null; return ;;
    --bn) mapfile -t COMPREPLY < <(compgen -W "frozen batch:" -f -- "$cur"); return ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_firn_options "${COMP_WORDS[0]}" "${verb[@]}")" -- "$cur")
    elif ((COMP_CWORD == at + 1)) && [[ ${verb[0]} == bench ]]; then
        mapfile -t COMPREPLY < <(compgen -W "trunk pixels cache all" -- "$cur")
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}

complete -F _firn firn
