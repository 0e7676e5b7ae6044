command -v bash >/dev/null || skip "no bash"
complete_words()
{
    # shellcheck disable=SC2016 # expanded by bash
    bash -c 'source "$CLI/../../tools/completion/firn.bash"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _firn; printf "%s\n" "${COMPREPLY[@]}"' \
        bash "$@" 2>../err
    cat ../err
}
complete_words firn e
complete_words firn help st
complete_words firn ls --
complete_words firn extract --st
complete_words firn extract --store ''
complete_words firn extract -
complete_words firn bench c
touch photo.jpg
complete_words firn show ph
complete_words firn bn ''
complete_words firn help bn es
complete_words firn bn diff --
complete_words firn bn estimate --method p
complete_words firn watch --priority ''
