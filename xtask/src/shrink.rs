//! What is sent to browsers without what only people read: comments and indentation. Line by line, and never within a line, so that nothing
//! has to be understood of what the lines say; brotli does the rest.

/// JavaScript as wasm-bindgen and the splitter write it: comments have lines of their own. Text over several lines would lose its
/// indentation: where there may be some, everything stays as it is.
pub(crate) fn script(text: &str) -> String {
    if text.lines().any(|line| line.matches('`').count() % 2 == 1) {
        return text.to_owned();
    }
    without_comments(text, |line| line.starts_with("//"))
}

/// The style sheet.
pub(crate) fn style(text: &str) -> String {
    without_comments(text, |_| false)
}

/// Lines without indentation, and without those between a line that begins with `/*` and one that ends with `*/`.
fn without_comments(text: &str, is_comment: impl Fn(&str) -> bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        inside |= line.starts_with("/*");
        if inside {
            inside = !line.ends_with("*/");
        } else if !line.is_empty() && !is_comment(line) {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_people_read_goes() {
        let text = "/**\n * Says something.\n */\nexport function f(a) {\n    // Why.\n    return a / 2; // half\n\n}\n/* one line */\ng();\n";
        assert_eq!(script(text), "export function f(a) {\nreturn a / 2; // half\n}\ng();\n");
        assert_eq!(style("a {\n  /* red */\n  color: red;\n}\n"), "a {\ncolor: red;\n}\n");
    }

    #[test]
    fn text_over_several_lines_keeps_its_indentation() {
        let text = "const a = `one\n    two`;\n// end\n";
        assert_eq!(script(text), text);
    }
}
