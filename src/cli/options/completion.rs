//! Completions for bash, zsh and fish, from the descriptions of the commands.
//!
//! Floor 4. Each is a script that the shell reads. It needs nothing but the shell itself.

use super::command::{Command, Completes, value_completes};
use super::flags::Flag;

/// The shells.
pub const SHELLS: &[&str] = &["bash", "zsh", "fish"];

/// The script for a shell; `None` if there is none.
pub fn of(shell: &str, commands: &[Command]) -> Option<String> {
    match shell {
        "bash" => Some(bash(commands)),
        "zsh" => Some(zsh(commands)),
        "fish" => Some(fish(commands)),
        _ => None,
    }
}

fn bash(commands: &[Command]) -> String {
    let names: Vec<&str> = commands.iter().map(|command| command.name).collect();
    let cases: String = commands.iter().map(bash_case).collect();
    format!(
        r#"# bash completion for swarmlet, printed by `swarmlet completions bash`.
_swarmlet() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" offer options words
    # bash breaks `--dir=x` into three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = && $COMP_CWORD -gt 2 ]]; then
        previous="${{COMP_WORDS[COMP_CWORD-2]}}"
    fi
    COMPREPLY=()
    if [[ $COMP_CWORD -eq 1 ]]; then
        mapfile -t COMPREPLY < <(compgen -W "{names} help --help --version" -- "$current")
        return
    fi
    case "${{COMP_WORDS[1]}}" in
{cases}    help) [[ $COMP_CWORD -eq 2 ]] && mapfile -t COMPREPLY < <(compgen -W "{names}" -- "$current"); return ;;
    *) return ;;
    esac
    if [[ $current == -* && $offer != value* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
        return
    fi
    case "$offer" in
    *folders) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    *paths) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    *torrents)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$current"; compgen -f -X '!*.torrent' -- "$current") ;;
    *words) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
    esac
}}
complete -F _swarmlet swarmlet
"#,
        names = names.join(" "),
    )
}

/// What bash offers after one command: `offer` says what stands at the cursor.
fn bash_case(command: &Command) -> String {
    let options: Vec<String> = command.flags().flat_map(spellings).collect();
    let mut case = format!("    {})\n        options=\"{}\"\n", command.name, options.join(" "));
    case += "        case \"$previous\" in\n";
    for (kind, offer) in
        [(Completes::Folders, "value folders"), (Completes::Paths, "value paths"), (Completes::Nothing, "value")]
    {
        let of_kind = command.flags().filter(|flag| flag.wants_value() && value_completes(flag) == kind);
        let spelled: Vec<String> = of_kind.flat_map(spellings).collect();
        if !spelled.is_empty() {
            case += &format!("        {}) offer=\"{offer}\" ;;\n", spelled.join("|"));
        }
    }
    let (offer, words) = match command.completes {
        Completes::Nothing => ("nothing", &[][..]),
        Completes::Words(words) => ("words", words),
        Completes::Folders => ("folders", &[][..]),
        Completes::Paths => ("paths", &[][..]),
        Completes::Torrents => ("torrents", &[][..]),
    };
    case + &format!("        *) offer={offer} words=\"{}\" ;;\n        esac ;;\n", words.join(" "))
}

fn zsh(commands: &[Command]) -> String {
    let list = |command: &Command| format!("        '{}:{}'\n", command.name, zsh_text(command.summary));
    let case = |command: &Command| {
        let options: String = command.flags().map(zsh_option).collect();
        let kind = zsh_kind(command.completes);
        let arguments = format!("            '*:{}:{kind}' ;;\n", zsh_text(command.usage));
        format!("    {}) _arguments -s \\\n{options}{arguments}", command.name)
    };
    format!(
        r#"#compdef swarmlet
# zsh completion for swarmlet, printed by `swarmlet completions zsh`.
_swarmlet() {{
    local -a commands
    commands=(
{}    )
    if (( CURRENT == 2 )); then
        _describe -t commands command commands
        _arguments '--help[print the help]' '--version[print the version]'
        return
    fi
    local command="$words[2]"
    shift words
    (( CURRENT-- ))
    case "$command" in
{}    help) _describe -t commands command commands ;;
    esac
}}
if [ "$funcstack[1]" = _swarmlet ]; then _swarmlet "$@"; else compdef _swarmlet swarmlet; fi
"#,
        commands.iter().map(list).collect::<String>(),
        commands.iter().map(case).collect::<String>(),
    )
}

/// `'(-d --dir)'{-d,--dir}'[help]:DIR:_files -/'`.
fn zsh_option(flag: &Flag) -> String {
    let spelled = spellings(flag);
    let several = flag.value.is_some_and(|value| value.ends_with("...")) || flag.long == "verbose";
    let value = match flag.value {
        // It comes after `=`.
        Some(_) if flag.is_optional() => "::FILE:_files".into(),
        Some(value) => format!(":{}:{}", zsh_text(value), zsh_kind(value_completes(flag))),
        None => String::new(),
    };
    let help = zsh_text(first_sentence(flag.help));
    let (names, open) = match (several, spelled.as_slice()) {
        (true, [short, long]) => (format!("'*'{{{short},{long}}}"), "'"),
        (false, [short, long]) => (format!("'({short} {long})'{{{short},{long}}}"), "'"),
        (true, _) => (format!("'*--{}", flag.long), ""),
        (false, _) => (format!("'--{}{}", flag.long, if flag.is_optional() { "=-" } else { "" }), ""),
    };
    format!("            {names}{open}[{help}]{value}' \\\n")
}

fn zsh_kind(completes: Completes) -> String {
    match completes {
        Completes::Nothing => " ".into(),
        Completes::Words(words) => format!("({})", words.join(" ")),
        Completes::Folders => "_files -/".into(),
        Completes::Paths => "_files".into(),
        Completes::Torrents => "_files -g \"*.torrent\"".into(),
    }
}

/// Text inside of single quotes, in which brackets and colons mean something to `_arguments`.
fn zsh_text(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
    escaped.replace('\'', "'\\''")
}

fn fish(commands: &[Command]) -> String {
    let mut script = String::from("# fish completion for swarmlet, printed by `swarmlet completions fish`.\n");
    script += "complete -c swarmlet -f\n";
    script += "complete -c swarmlet -n __fish_use_subcommand -l help -d 'print the help'\n";
    script += "complete -c swarmlet -n __fish_use_subcommand -l version -d 'print the version'\n";
    for command in commands {
        let (name, summary) = (command.name, fish_text(command.summary));
        script += &format!("complete -c swarmlet -n __fish_use_subcommand -a {name} -d '{summary}'\n");
        script += &format!("complete -c swarmlet -n '__fish_seen_subcommand_from help' -a {name}\n");
        let here = format!("complete -c swarmlet -n '__fish_seen_subcommand_from {name}'");
        if let Some(offer) = fish_kind(command.completes) {
            script += &format!("{here} -a '{offer}'\n");
        }
        for flag in command.flags() {
            let short = if flag.short.is_empty() { String::new() } else { format!(" -s {}", flag.short) };
            let value = match (flag.value, fish_kind(value_completes(flag))) {
                (None, _) => String::new(),
                _ if flag.is_optional() => String::new(),
                (Some(_), None) => " -x".into(),
                (Some(_), Some(offer)) => format!(" -x -a '{offer}'"),
            };
            let help = fish_text(first_sentence(flag.help));
            script += &format!("{here}{short} -l {}{value} -d '{help}'\n", flag.long);
        }
    }
    script
}

fn fish_kind(completes: Completes) -> Option<String> {
    match completes {
        Completes::Nothing => None,
        Completes::Words(words) => Some(words.join(" ")),
        Completes::Folders => Some("(__fish_complete_directories)".into()),
        Completes::Paths => Some("(__fish_complete_path)".into()),
        Completes::Torrents => Some("(__fish_complete_suffix .torrent)".into()),
    }
}

fn fish_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

/// `-d` and `--dir`.
fn spellings(flag: &Flag) -> Vec<String> {
    let short = (!flag.short.is_empty()).then(|| format!("-{}", flag.short));
    short.into_iter().chain([format!("--{}", flag.long)]).collect()
}

/// Beside a word that is offered there is room for one sentence.
fn first_sentence(help: &str) -> &str {
    let ends = [". ", "; ", ": "].iter().filter_map(|end| help.find(end));
    ends.min().map_or(help, |end| &help[..end])
}
