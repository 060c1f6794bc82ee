//! Lists in pages, with links to the pages before and after.

use std::collections::BTreeMap;

use axum::http::{StatusCode, Uri};
use natter_wire::python;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

use super::answer::Refusal;
use super::origin::Origin;

/// Things on a page, unless it is said otherwise.
pub(crate) const USUAL_SIZE: u32 = 50;
const MAX_SIZE: u32 = 500;

/// What Python's `quote_plus` escapes; it writes a space as a plus.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b' ');

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// From 1; 0 means the last page.
    pub number: u64,
    /// 1 to 500.
    pub size: u32,
}

/// A page as a client gets it.
#[derive(Debug, Serialize)]
pub(crate) struct Page<R> {
    count: u64,
    next: Option<String>,
    previous: Option<String>,
    results: R,
}

impl PageRequest {
    /// What `page` and `page_size` of the query say.
    pub(crate) fn parse(uri: &Uri) -> Result<Self, Refusal> {
        Self::parse_with(uri, USUAL_SIZE)
    }

    /// The same for a list that has `usual_size` things on a page.
    pub(crate) fn parse_with(uri: &Uri, usual_size: u32) -> Result<Self, Refusal> {
        let query = uri.query().unwrap_or_default();
        let size = last(query, "page_size").and_then(|size| integer(&size)).filter(|size| *size >= 1);
        let size = size.map_or(usual_size, |size| u32::try_from(size).unwrap_or(MAX_SIZE).min(MAX_SIZE));
        let number = match last(query, "page").as_deref() {
            None | Some("") => 1,
            Some("last") => 0,
            Some(number) => integer(number).filter(|number| *number >= 1).ok_or_else(invalid_page)?,
        };
        Ok(Self { number, size })
    }
}

impl<R> Page<R> {
    /// Page `number` (0: there is no such page) of `pages`, of a list of `count` things that was asked for at `uri`.
    pub(crate) fn new(
        results: R,
        count: u64,
        number: u64,
        pages: u64,
        origin: &Origin,
        uri: &Uri,
    ) -> Result<Self, Refusal> {
        if number == 0 {
            return Err(invalid_page());
        }
        let url = origin.url(uri.path());
        let link = |page| link(&url, uri.query().unwrap_or_default(), page);
        let next = (number < pages).then(|| link(number + 1));
        let previous = (number > 1).then(|| link(number - 1));
        Ok(Self { count, next, previous, results })
    }

    /// The same page with its results in another shape.
    pub(crate) fn map<S>(self, shape: impl FnOnce(R) -> S) -> Page<S> {
        let Self { count, next, previous, results } = self;
        Page { count, next, previous, results: shape(results) }
    }
}

/// The last value of a parameter of the query.
pub(crate) fn last(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name).last().map(|(_, value)| value.into_owned())
}

/// `url` with this query, but on this page: parameters sorted by name, none for page 1.
fn link(url: &str, query: &str, page: u64) -> String {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        parameters.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    if page == 1 {
        parameters.remove("page");
    } else {
        parameters.insert("page".to_owned(), vec![page.to_string()]);
    }
    let pairs = parameters.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let query: Vec<String> = pairs.map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    if query.is_empty() { url.to_owned() } else { format!("{url}?{}", query.join("&")) }
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string().replace(' ', "+")
}

/// Python's `int()` of a text; too large a number becomes the largest.
fn integer(text: &str) -> Option<u64> {
    let number = python::int(&Value::String(text.to_owned())).ok()?;
    let is_negative = number.to_string().starts_with('-');
    Some(number.to_u64().unwrap_or(if is_negative { 0 } else { u64::MAX }))
}

fn invalid_page() -> Refusal {
    Refusal::detail(StatusCode::NOT_FOUND, "Invalid page.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Option<(u64, u32)> {
        let uri: Uri = format!("/api/x/?{query}").parse().expect("a URI");
        PageRequest::parse(&uri).ok().map(|page| (page.number, page.size))
    }

    #[test]
    fn the_page_is_a_number_or_last() {
        assert_eq!(parse(""), Some((1, 50)));
        assert_eq!(parse("page="), Some((1, 50)));
        assert_eq!(parse("page=%201%20"), Some((1, 50)));
        assert_eq!(parse("page=%EF%BC%91"), Some((1, 50)));
        assert_eq!(parse("page=last"), Some((0, 50)));
        assert_eq!(parse("page=1&page=3"), Some((3, 50)));
        assert_eq!(parse("page=99999999999999999999999"), Some((u64::MAX, 50)));
        for bad in ["page=0", "page=-1", "page=abc", "page=1.0", "page=-99999999999999999999999"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_page_size_is_bounded_and_forgiving() {
        assert_eq!(parse("page_size=2"), Some((1, 2)));
        assert_eq!(parse("page_size=500"), Some((1, 500)));
        for large in ["page_size=501", "page_size=4294967297", "page_size=99999999999999999999999"] {
            assert_eq!(parse(large), Some((1, 500)), "{large}");
        }
        for junk in ["page_size=", "page_size=0", "page_size=-3", "page_size=abc", "page_size=2.0"] {
            assert_eq!(parse(junk), Some((1, 50)), "{junk}");
        }
    }

    #[test]
    fn links_are_written_like_the_framework_does() {
        // Recorded from Django REST framework: URL asked for, link to page 7, link to page 1.
        let recorded = [
            ("http://h/api/x/", "http://h/api/x/?page=7", "http://h/api/x/"),
            ("http://h/api/x/?page=2", "http://h/api/x/?page=7", "http://h/api/x/"),
            (
                "http://h/api/x/?page=2&page_size=5&search=a b",
                "http://h/api/x/?page=7&page_size=5&search=a+b",
                "http://h/api/x/?page_size=5&search=a+b",
            ),
            ("http://h/api/x/?z=1&a=2&page=3", "http://h/api/x/?a=2&page=7&z=1", "http://h/api/x/?a=2&z=1"),
            ("https://h:8443/p?q=%C3%A9&page=1", "https://h:8443/p?page=7&q=%C3%A9", "https://h:8443/p?q=%C3%A9"),
        ];
        for (asked, seventh, first) in recorded {
            let (url, query) = asked.split_once('?').unwrap_or((asked, ""));
            assert_eq!(link(url, query, 7), seventh);
            assert_eq!(link(url, query, 1), first);
        }
    }

    #[test]
    fn links_keep_repeated_and_empty_parameters() {
        assert_eq!(link("u", "b=2&a=&b=1&c", 3), "u?a=&b=2&b=1&c=&page=3");
        assert_eq!(link("u", "x=*~%2B", 1), "u?x=%2A~%2B");
    }
}
