//! Rust sources as the checks see them: the tokens that ship, without comments and without test code.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One source file.
pub(crate) struct Source {
    /// Path from the root of the repository, with `/`.
    pub(crate) path: String,
    /// All tokens, test code too.
    pub(crate) all: Vec<Token>,
    /// The tokens that ship: no items under `#[cfg(test)]`, nothing of a file that holds only tests.
    pub(crate) shipped: Vec<Token>,
    /// Of these, the ones that are not under an `#[expect(clippy::…, reason = "…")]` that argues for a panic.
    pub(crate) shipped_unargued: Vec<Token>,
}

/// A token with its place; groups are flattened into their brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    Sign,
    Literal,
}

impl Source {
    /// Reads `text` as the file at `path`.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path} is no Rust: {error}"));
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let without = |cut: &dyn Fn(&str) -> bool| {
            let mut tokens = Vec::new();
            flatten(&trees, cut, &mut tokens);
            tokens
        };
        let mut source = Self {
            path: path.to_owned(),
            all: without(&|_| false),
            shipped: without(&is_for_tests),
            shipped_unargued: without(&|attribute| is_for_tests(attribute) || argues_for_panic(attribute)),
        };
        if holds_only_tests(path) {
            source.ships_nothing();
        }
        source
    }

    fn ships_nothing(&mut self) {
        self.shipped.clear();
        self.shipped_unargued.clear();
    }

    /// Where the modules stand that this file declares as `#[cfg(test)] mod name;`, without the `.rs`.
    fn test_modules(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs");
        let is_root = ["/lib", "/main"].iter().any(|root| stem.ends_with(root));
        let folder = if is_root { stem.rsplit_once('/').map_or("", |(folder, _)| folder) } else { stem };
        let declared = self.all.windows(3).filter(|three| three[0].text == "mod" && three[2].text == ";");
        let ships =
            |name: &str| self.shipped.windows(2).any(|two| two[0].text == "mod" && two[1].text == name);
        declared
            .map(|three| &three[1].text)
            .filter(|name| !ships(name))
            .map(|name| format!("{folder}/{name}"))
            .collect()
    }

    /// A finding at a token of this file.
    pub(crate) fn at(&self, token: &Token, what: &str) -> String {
        format!("{}:{}: {what}", self.path, token.line)
    }

    /// Whether the file stands in this folder.
    pub(crate) fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// A file that ships in no program: `tests.rs` beside a module, and everything in a folder `tests`, `benches` or
/// `examples` of a crate.
fn holds_only_tests(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let inside_crate = parts.iter().skip(2); // the workspace has a folder `tests` of its own
    inside_crate.clone().any(|part| ["tests", "benches", "examples"].contains(part))
        || parts.last().is_some_and(|file| *file == "tests.rs" || file.ends_with("_tests.rs"))
}

/// Writes out the tokens of `trees` without the items whose attribute `cut` names.
fn flatten(trees: &[TokenTree], cut: &dyn Fn(&str) -> bool, out: &mut Vec<Token>) {
    let mut at = 0;
    while at < trees.len() {
        if attribute(&trees[at..]).is_some_and(|text| cut(&text)) {
            at = end_of_item(trees, at);
            continue;
        }
        let tree = &trees[at];
        let line = tree.span().start().line;
        let mut push = |text: String, line, kind| out.push(Token { text, line, kind });
        match tree {
            TokenTree::Ident(word) => push(word.to_string(), line, Kind::Word),
            TokenTree::Punct(sign) => push(sign.as_char().to_string(), line, Kind::Sign),
            TokenTree::Literal(literal) => push(literal.to_string(), line, Kind::Literal),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                push(open.to_owned(), line, Kind::Sign);
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                flatten(&inner, cut, out);
                let line = group.span_close().start().line;
                out.push(Token { text: close.to_owned(), line, kind: Kind::Sign });
            }
        }
        at += 1;
    }
}

/// The text of the outer attribute at the head of `trees`, without white space.
fn attribute(trees: &[TokenTree]) -> Option<String> {
    let [TokenTree::Punct(hash), TokenTree::Group(group), ..] = trees else { return None };
    let is_attribute = hash.as_char() == '#' && group.delimiter() == Delimiter::Bracket;
    is_attribute.then(|| group.stream().to_string().replace(char::is_whitespace, ""))
}

/// `#[cfg(test)]`, `#[cfg(all(test, …))]` or `#[test]`: what follows does not ship.
fn is_for_tests(attribute: &str) -> bool {
    attribute == "test" || attribute == "cfg(test)" || attribute.starts_with("cfg(all(test,")
}

/// `#[expect(clippy::expect_used, reason = "…")]`: why this panic cannot happen has been said and reviewed.
fn argues_for_panic(attribute: &str) -> bool {
    let lints = ["clippy::expect_used", "clippy::unwrap_used", "clippy::panic", "clippy::unreachable"];
    attribute.starts_with("expect(")
        && attribute.contains("reason=")
        && lints.iter().any(|lint| attribute.contains(lint))
}

/// The place after what stands under the attribute at `at`: past the `;` or the braces that end an item, and for a
/// field, a variant or an arm also past its comma.
fn end_of_item(trees: &[TokenTree], mut at: usize) -> usize {
    const ITEMS: [&str; 14] = [
        "async",
        "const",
        "enum",
        "extern",
        "fn",
        "impl",
        "macro_rules",
        "mod",
        "static",
        "struct",
        "trait",
        "type",
        "unsafe",
        "use",
    ];
    let words = trees[at..].iter().filter_map(|tree| match tree {
        TokenTree::Ident(word) => Some(word.to_string()),
        TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    });
    let is_item =
        words.into_iter().find(|word| word != "pub").is_some_and(|word| ITEMS.contains(&word.as_str()));
    while at < trees.len() {
        let ends = match &trees[at] {
            TokenTree::Punct(sign) => sign.as_char() == ';' || sign.as_char() == ',' && !is_item,
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        };
        at += 1;
        if ends {
            break;
        }
    }
    at
}

/// All sources of the workspace, build output and hidden folders left out; read once.
pub(crate) fn workspace() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read_workspace);
    &SOURCES
}

fn read_workspace() -> Vec<Source> {
    let root = super::root();
    let mut files = Vec::new();
    for folder in ["core", "backend", "tests", "xtask", "mobile-bindings", "desktop"] {
        rust_files(&root.join(folder), &mut files);
    }
    files.sort();
    let read = |file: &PathBuf| {
        let path = file.strip_prefix(&root).expect("files come from below the root");
        let path = path.to_string_lossy().replace('\\', "/");
        Source::parse(&path, &std::fs::read_to_string(file).expect("a source can be read"))
    };
    let mut sources: Vec<Source> = files.iter().map(read).collect();
    let for_tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    let is_one = |path: &str| {
        let rest = for_tests.iter().find_map(|module| path.strip_prefix(module.as_str()));
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    };
    sources.iter_mut().filter(|source| is_one(&source.path)).for_each(Source::ships_nothing);
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

fn rust_files(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a folder can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                rust_files(&path, out);
            }
        } else if name.ends_with(".rs") {
            out.push(path);
        }
    }
}

/// A path `a::b::c` as it is named in code, with the groups of `use` written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CodePath {
    pub(crate) segments: Vec<String>,
    pub(crate) token: Token,
}

/// All paths in `tokens`, single words too.
pub(crate) fn paths(tokens: &[Token]) -> Vec<CodePath> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = if tokens[at].kind == Kind::Word { path_from(tokens, at, &[], &mut found) } else { at + 1 };
    }
    found
}

/// Reads the path that starts at `at`, below `prefix`, and returns the place after it.
fn path_from(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<CodePath>) -> usize {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    let mut segments = prefix.to_vec();
    let token = tokens[at].clone();
    while tokens.get(at).is_some_and(|token| token.kind == Kind::Word) {
        segments.push(tokens[at].text.clone());
        at += 1;
        if !(is(at, ":") && is(at + 1, ":")) {
            break;
        }
        at += 2;
        if is(at, "{") {
            at += 1;
            while at < tokens.len() && !is(at, "}") {
                let is_word = tokens[at].kind == Kind::Word;
                at = if is_word { path_from(tokens, at, &segments, found) } else { at + 1 };
            }
            return at + 1;
        }
    }
    found.push(CodePath { segments, token });
    at
}

/// The text of a string literal, quotes and escapes as written.
pub(crate) fn string_text(token: &Token) -> Option<&str> {
    let text = token.text.trim_start_matches(['b', 'c', 'r']).trim_matches('#');
    (token.kind == Kind::Literal).then(|| text.strip_prefix('"')?.strip_suffix('"')).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(path: &str, text: &str) -> String {
        let source = Source::parse(path, text);
        source.shipped.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn test_code_and_comments_are_cut() {
        for (text, expected) in [
            ("fn a() {} // unsafe", "fn a ( ) { }"),
            ("#[cfg(test)] mod tests { fn a() {} } fn b() {}", "fn b ( ) { }"),
            ("#[cfg(test)]\nmod tests;\nfn b() {}", "fn b ( ) { }"),
            ("#[cfg(all(test, unix))] mod tests {} fn b() {}", "fn b ( ) { }"),
            ("#[test] #[ignore] fn a() {} fn b() {}", "fn b ( ) { }"),
            ("#[cfg(not(test))] fn a() {}", "# [ cfg ( not ( test ) ) ] fn a ( ) { }"),
            ("#[test] pub(crate) fn a<A, B>() where A: C, {} fn b() {}", "fn b ( ) { }"),
            ("struct A { #[cfg(test)] pub b: u8, c: u8 }", "struct A { c : u8 }"),
            ("mod m { #[cfg(test)] use x::y; fn b() {} }", "mod m { fn b ( ) { } }"),
        ] {
            assert_eq!(shipped("core/x/src/a.rs", text), expected);
        }
        for path in [
            "core/x/src/order/tests.rs",
            "core/x/tests/all.rs",
            "tests/x/tests/kill.rs",
            "core/x/src/a_tests.rs",
        ] {
            assert_eq!(shipped(path, "fn a() {}"), "", "{path}");
        }
        assert_eq!(shipped("tests/simulator/src/lib.rs", "fn a() {}"), "fn a ( ) { }");
    }

    #[test]
    fn modules_for_tests_are_found() {
        let text = "mod a; #[cfg(test)] mod b; #[cfg(test)] mod c { mod d; } mod e {}";
        for (path, folder) in [("core/x/src/lib.rs", "core/x/src"), ("core/x/src/f.rs", "core/x/src/f")] {
            let expected = ["b", "d"].map(|name| format!("{folder}/{name}"));
            assert_eq!(Source::parse(path, text).test_modules(), expected);
        }
    }

    #[test]
    fn paths_are_written_out() {
        let source =
            Source::parse("core/x/src/a.rs", "use std::{fs, io::{self, Read as R}}; let a = b::c(d);");
        let paths: Vec<String> = paths(&source.all).iter().map(|path| path.segments.join("::")).collect();
        let expected = [
            "use",
            "std::fs",
            "std::io::self",
            "std::io::Read",
            "std::io::as",
            "std::io::R",
            "let",
            "a",
            "b::c",
            "d",
        ];
        assert_eq!(paths, expected);
    }
}
