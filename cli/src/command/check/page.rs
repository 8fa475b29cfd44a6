//! The report as a page: totals, a table, and what differs. One file, without scripts.

use super::report::{DerivationReport, Report, Totals};
use std::fmt::Write;

const STYLE: &str = "body{font-family:sans-serif;max-width:70em;margin:2em auto;padding:0 1em}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3em .6em;border-bottom:1px solid #ddd}\
td.n{text-align:right}.same,.fetched{color:#176617}.different{color:#a01818;font-weight:bold}.failed{color:#8a5a00}\
pre{background:#f4f4f4;padding:.8em;overflow:auto}";

pub fn html(report: &Report) -> String {
    let Totals { same, fetched, different, failed } = report.totals;
    let built = same + different + failed;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Reproducibility</title>\n<style>{STYLE}</style>\n\
         <h1>{same} of {built} derivations are reproducible</h1>\n\
         <table>\n<tr><th>same<th>different<th>failed<th>fetched by their hashes</tr>\n\
         <tr><td>{same}<td>{different}<td>{failed}<td>{fetched}</tr>\n</table>\n\
         <p>Built a second time with other: {}.</p>\n\
         <table>\n<tr><th>Derivation<th>Attributes<th>Verdict<th>Causes<th>Seconds</tr>\n",
        escaped(&report.variations.join(", "))
    );
    for derivation in &report.derivations {
        let DerivationReport { name, verdict, attributes, seconds, .. } = derivation;
        let mut causes: Vec<&str> = derivation
            .different
            .iter()
            .flat_map(|output| output.causes.iter().map(|cause| cause.cause))
            .collect();
        causes.dedup();
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td class=\"{verdict}\">{verdict}<td>{}<td class=\"n\">{seconds:.2}</tr>",
            escaped(name),
            escaped(&attributes.join(", ")),
            escaped(&causes.join(", ")),
        );
    }
    page.push_str("</table>\n");
    for derivation in &report.derivations {
        let mut details: String = derivation.different.iter().map(ToString::to_string).collect();
        details.extend(derivation.error.iter().map(String::as_str));
        if !details.is_empty() {
            let (name, details) = (escaped(&derivation.name), escaped(&details));
            let _ = writeln!(page, "<h2>{name}</h2>\n<pre>{details}</pre>");
        }
    }
    page.push_str("</html>\n");
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_builders_wrote_is_no_markup() {
        assert_eq!(super::escaped("<b>\"&"), "&lt;b&gt;&quot;&amp;");
    }
}
