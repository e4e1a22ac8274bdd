//! TLS to a real server with a certificate of this test's own: what an address asks for is what it gets.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use litfass_store::database::Server;
use postgres::{Client, NoTls};
use tempfile::TempDir;

use super::cluster::{Cluster, unprivileged};

/// A certificate for `localhost` and the one that vouches for it, of that name, in a folder that the server may read.
fn certificates(folder: &Path, name: &str) -> PathBuf {
    let file = |end: &str| folder.join(format!("{name}.{end}")).into_os_string().into_string().unwrap();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let of_root =
        ["req", "-x509", "-keyout", &file("root.key"), "-out", &file("root.crt"), "-days", "2", "-subj", "/CN=root"];
    let of_host = ["req", "-keyout", &file("key"), "-out", &file("csr"), "-subj", "/CN=localhost"];
    fs::write(file("ext"), "subjectAltName=DNS:localhost\n").unwrap();
    let signed = [
        ["x509", "-req", "-days", "2", "-CAcreateserial", "-in", &file("csr"), "-CA"],
        [&file("root.crt"), "-CAkey", &file("root.key"), "-out", &file("crt"), "-extfile", &file("ext"), "-sha256"],
    ];
    for arguments in [[&of_root[..], &key].concat(), [&of_host[..], &key].concat(), signed.concat()] {
        let made = Command::new("openssl").args(&arguments).output().expect("openssl is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    for end in ["crt", "key"] {
        unprivileged(Path::new(&file(end)));
    }
    PathBuf::from(file("root.crt"))
}

#[test]
fn an_address_gets_the_encryption_that_it_asks_for_or_no_connection() {
    let folder = TempDir::new().unwrap();
    unprivileged(folder.path());
    let (root, strangers) = (certificates(folder.path(), "server"), certificates(folder.path(), "stranger"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = |end: &str| folder.path().join(format!("server.{end}")).display().to_string();
    let settings = [
        "fsync=off".to_owned(),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", at("crt")),
        format!("ssl_key_file={}", at("key")),
        "listen_addresses=localhost".to_owned(),
        format!("port={port}"),
    ];
    let _cluster = Cluster::start(&settings.each_ref().map(String::as_str));
    let open = |host: &str, asked: &str| {
        Server::open(&format!("postgres://litfass@{host}:{port}/postgres{asked}"), "a server".to_owned())
    };
    let encrypted = || -> i64 {
        let mut plain =
            Client::connect(&format!("host=localhost port={port} user=litfass dbname=postgres"), NoTls).unwrap();
        plain.query_one("SELECT count(*) FROM pg_stat_ssl WHERE ssl", &[]).unwrap().get(0)
    };
    let verified =
        |root: &Path| format!("?sslmode=verify-full&sslrootcert={}", root.display().to_string().replace('/', "%2F"));

    let plain = open("localhost", "").unwrap();
    assert_eq!(encrypted(), 0);
    drop(plain);
    let whoever = open("127.0.0.1", "?sslmode=require").unwrap();
    assert!(encrypted() > 0, "whoever answers, but nobody listens");
    drop(whoever);
    assert!(open("localhost", &verified(&root)).is_ok());
    for (host, root, what) in [("localhost", &strangers, "UnknownIssuer"), ("127.0.0.1", &root, "NotValidForName")] {
        let refused = open(host, &verified(root)).unwrap_err().to_string();
        assert!(refused.contains(what) || refused.contains("certificate"), "{refused}");
    }
    for (asked, what) in [("?sslmode=verify-full", "sslrootcert"), ("?sslmode=verify-ca", "verify-ca")] {
        let refused = open("localhost", asked).unwrap_err().to_string();
        assert!(refused.contains(what), "{refused}");
    }
}
