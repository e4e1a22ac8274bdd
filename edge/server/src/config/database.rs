//! The address of a database. It may carry a password, which is shown nowhere.

use std::fmt;

use super::setting::Setting;

/// An address, or none where the text is empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct DatabaseUrl(Option<String>);

impl DatabaseUrl {
    /// With its password.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// Without the password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(self.0.as_deref()))
    }
}

fn without_password(url: Option<&str>) -> String {
    let url = url.unwrap_or_default();
    // The last one ends the name and password, whatever these contain.
    let parts = url.rsplit_once('@').and_then(|(before, host)| Some((before.split_once("://")?, host)));
    let named = parts.and_then(|((scheme, who), host)| Some((scheme, who.split_once(':')?.0, host)));
    named.map_or_else(|| url.to_owned(), |(scheme, name, host)| format!("{scheme}://{name}:***@{host}"))
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Setting for DatabaseUrl {
    const TYPE: &'static str = "an address";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let known = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if text.is_empty() {
            Ok(Self(None))
        } else if known && !text.contains("password=") {
            Ok(Self(Some(text.to_owned())))
        } else {
            Err("an address such as \"postgres://user:password@host/name\"".to_owned())
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn shown(_: &str) -> String {
        "what is written there".to_owned()
    }
}

/// The address of a Redis server, or none where the text is empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct RedisUrl(Option<String>);

impl RedisUrl {
    /// With its password.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(self.0.as_deref()))
    }
}

impl Setting for RedisUrl {
    const TYPE: &'static str = "an address";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let known = ["redis://", "redis+unix://"].iter().any(|scheme| text.starts_with(scheme));
        if text.is_empty() || known {
            Ok(Self((!text.is_empty()).then(|| text.to_owned())))
        } else {
            Err("an address such as \"redis://user:password@host:6379/0\"".to_owned())
        }
    }

    fn text(&self) -> String {
        without_password(self.0.as_deref())
    }

    fn shown(_: &str) -> String {
        "what is written there".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_read_and_never_shown() {
        let url = DatabaseUrl::parse("postgres://litfass:s3:cr@t@db.example:5432/money").unwrap();
        assert_eq!(url.address(), Some("postgres://litfass:s3:cr@t@db.example:5432/money"));
        for shown in [url.to_string(), url.text(), format!("{url:?}")] {
            assert_eq!(shown, "postgres://litfass:***@db.example:5432/money");
        }
        assert_eq!(DatabaseUrl::parse("postgres://db/money").unwrap().text(), "postgres://db/money");
        assert_eq!(DatabaseUrl::parse("").unwrap().address(), None);
        for bad in ["mysql://db/money", "db", "postgres://db/money?password=secret"] {
            assert!(DatabaseUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_password_of_a_redis_server_is_shown_nowhere_either() {
        let url = RedisUrl::parse("redis://litfass:s3:cr@t@caps.example:6379/0").unwrap();
        assert_eq!(url.address(), Some("redis://litfass:s3:cr@t@caps.example:6379/0"));
        assert_eq!([url.text(), format!("{url:?}")], ["redis://litfass:***@caps.example:6379/0"; 2]);
        assert_eq!(RedisUrl::parse("").unwrap().address(), None);
        assert!(RedisUrl::parse("rediss://caps").is_err(), "no TLS");
    }
}
