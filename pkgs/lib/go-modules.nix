# Modules that Go programs here share, by their paths: { path; version; source; } as buildGoPackage takes them.
{ fetchSource }:
let
  # `urls` are upstream's, where Debian did not pack the file anew.
  module = path: version: debian: hash: urls: {
    name = path;
    value = {
      inherit path version;
      source = (fetchSource {
        name = "${baseNameOf path}-${version}";
        inherit urls hash debian;
      }).source;
    };
  };

  github = project: tag: [ "https://github.com/${project}/archive/refs/tags/${tag}.tar.gz" ];
in
builtins.listToAttrs [
  (module "filippo.io/edwards25519" "v1.0.0-rc.1" {
    package = "golang-filippo-edwards25519";
    version = "1.0.0~rc1+git20210721";
    file = "golang-filippo-edwards25519_1.0.0~rc1+git20210721.orig.tar.gz";
  } "sha256-XJ3XJDJwN3fYzre3qStf0Nm/EizmoX2B/2x1Yc24l8Q=" [ ])
  (module "github.com/charlievieth/fastwalk" "v1.0.9" {
    package = "golang-github-charlievieth-fastwalk";
    version = "1.0.9";
    file = "golang-github-charlievieth-fastwalk_1.0.9.orig.tar.gz";
  } "sha256-ol/8z7AuuNhRXjhTgUb1RedabsFtZDyEGsy3Lpg8UYY=" (github "charlievieth/fastwalk" "v1.0.9"))
  (module "github.com/fatih/color" "v1.17.0" {
    package = "golang-github-fatih-color";
    version = "1.17.0";
    file = "golang-github-fatih-color_1.17.0.orig.tar.gz";
  } "sha256-guKExmeaw+tMu7XhWxQrseamj5V/4NLbjsT+F+f3jog=" (github "fatih/color" "v1.17.0"))
  (module "github.com/junegunn/go-shellwords" "v0.0.0-20240813" {
    package = "golang-github-junegunn-go-shellwords";
    version = "0.0~git20240813.a62c48c";
    file = "golang-github-junegunn-go-shellwords_0.0~git20240813.a62c48c.orig.tar.xz";
  } "sha256-Go20FqK6czPfQ5wUh6k6QZXbRPKlp59WbJWpNnSvSDc=" [ ])
  (module "github.com/mattn/go-colorable" "v0.1.13" {
    package = "golang-github-mattn-go-colorable";
    version = "0.1.13";
    file = "golang-github-mattn-go-colorable_0.1.13.orig.tar.gz";
  } "sha256-w7YsdtNlkGu6mqnZ7ASP0zoqV0IpnWSCoI50ZtTFLXc=" (github "mattn/go-colorable" "v0.1.13"))
  (module "github.com/mattn/go-isatty" "v0.0.20" {
    package = "golang-github-mattn-go-isatty";
    version = "0.0.20";
    file = "golang-github-mattn-go-isatty_0.0.20.orig.tar.gz";
  } "sha256-GPxConjmD7eh3/py8gU5rojQ4pLbVbUT71FLfTaYg6Y=" (github "mattn/go-isatty" "v0.0.20"))
  (module "github.com/nwidger/jsoncolor" "v0.0.0-20161209" {
    package = "golang-github-nwidger-jsoncolor";
    version = "20161209";
    file = "golang-github-nwidger-jsoncolor_20161209.orig.tar.xz";
  } "sha256-uFyWKPDNNoguZBUTiAcl6ACRiyVJpCVAUQLGzw1rda4=" [ ])
  (module "github.com/pkg/errors" "v0.9.1" {
    package = "golang-github-pkg-errors";
    version = "0.9.1";
    file = "golang-github-pkg-errors_0.9.1.orig.tar.gz";
  } "sha256-Vr/YkwI9qkmFCL/hYd4b6DKZ/PFTdgNeffecvX1vpgg=" (github "pkg/errors" "v0.9.1"))
  (module "github.com/rivo/uniseg" "v0.4.7" {
    package = "golang-github-rivo-uniseg";
    version = "0.4.7";
    file = "golang-github-rivo-uniseg_0.4.7.orig.tar.gz";
  } "sha256-3HrtzkqMF0sB34QG/32Sd54t92zuKtF/ov9nd/7drew=" (github "rivo/uniseg" "v0.4.7"))
  (module "golang.org/x/crypto" "v0.25.0" {
    package = "golang-go.crypto";
    version = "0.25.0";
    file = "golang-go.crypto_0.25.0.orig.tar.xz";
  } "sha256-tdvDmgsotS4ZbamkUx6BRCaHqQiVc7mc+prEqUDPNIY=" [ ])
  (module "golang.org/x/sys" "v0.22.0" {
    package = "golang-golang-x-sys";
    version = "0.22.0";
    file = "golang-golang-x-sys_0.22.0.orig.tar.gz";
  } "sha256-tahKIP8yeAPtR679g3oyZNURs/ZEAXy44FD/H1vSJHE=" (github "golang/sys" "v0.22.0"))
  (module "golang.org/x/term" "v0.22.0" {
    package = "golang-golang-x-term";
    version = "0.22.0";
    file = "golang-golang-x-term_0.22.0.orig.tar.xz";
  } "sha256-Zb1n47oWUidtVM7kd+oRnaj/DYkpBSHFq6759HXMYMg=" [ ])
]
