//! Which proxy a host is reached through.

/// Proxies, as `http_proxy`, `https_proxy` and `no_proxy` of an environment say them. The caller reads those.
///
/// A proxy is asked to `CONNECT` for http addresses too, which caches that only know whole requests refuse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// URL of the proxy for http addresses.
    pub http: Option<String>,
    /// URL of the proxy for https addresses.
    pub https: Option<String>,
    /// Hosts to reach without: a name means itself and everything below it, `*` means all.
    pub except: Vec<String>,
}

impl Proxies {
    /// Takes the values of the environment's variables, empty ones as missing. `no_proxy` is a list with commas.
    pub fn from_variables(http: Option<String>, https: Option<String>, no_proxy: Option<&str>) -> Self {
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        let except = no_proxy.unwrap_or_default().split([',', ' ']).filter(|host| !host.is_empty());
        Self { http: given(http), https: given(https), except: except.map(str::to_owned).collect() }
    }

    /// The proxy for a URL, if it goes through one.
    pub(super) fn for_url(&self, url: &ureq::http::Uri) -> Option<&str> {
        let proxy = match url.scheme_str() {
            Some("https") => self.https.as_deref()?,
            _ => self.http.as_deref()?,
        };
        let host = url.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
        let is_excepted = self.except.iter().any(|except| {
            let except = except.trim_matches(['[', ']']).to_ascii_lowercase();
            let name = except.trim_start_matches("*.").trim_start_matches('.');
            except == "*" || host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
        });
        (!is_excepted).then_some(proxy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excepted_hosts_and_those_below_them_go_without_a_proxy() {
        let proxies = Proxies::from_variables(
            Some("http://p:1".into()),
            Some("http://q:2".into()),
            Some("example.org, .b.example,127.0.0.1,::1"),
        );
        let proxy = |url: &str| proxies.for_url(&url.parse().unwrap());
        assert_eq!(proxy("http://other.org/"), Some("http://p:1"));
        assert_eq!(proxy("https://other.org/"), Some("http://q:2"));
        assert_eq!(proxy("http://notexample.org/"), Some("http://p:1"));
        for url in [
            "http://EXAMPLE.org/",
            "https://a.example.org/",
            "http://x.b.example/",
            "http://127.0.0.1:8/",
            "http://[::1]/",
        ] {
            assert_eq!(proxy(url), None, "{url}");
        }
        let all = Proxies { except: vec!["*".into()], ..proxies };
        assert_eq!(all.for_url(&"http://other.org/".parse().unwrap()), None);
    }

    #[test]
    fn empty_variables_are_none() {
        let proxies = Proxies::from_variables(Some(String::new()), None, Some(""));
        assert_eq!(proxies, Proxies::default());
    }
}
