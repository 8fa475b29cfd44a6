# The authorities that Mozilla trusts to certify servers, as one file where programs look for it.
{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "ca-certificates";
  version = "20250419";

  # Debian's package has Mozilla's list as it is, of one day.
  src =
    (fetchSource {
      name = "ca-certificates-20250419";
      hash = "sha256-M7RO94ZT7NPw8vE+W7pr5Ga+Ln2nIYL3N5ErgXmLpdI=";
      debian = {
        package = "ca-certificates";
        version = "20250419";
        file = "ca-certificates_20250419.tar.xz";
      };
    }).source;

  # Debian converts it by a script in Python.
  converter = ./bundle.awk;
  buildPhase = ''mawk -f "$converter" mozilla/certdata.txt >bundle.pem'';
  installPhase = ''
    mkdir -p "$out/etc/ssl/certs"
    cp bundle.pem "$out/etc/ssl/certs/ca-certificates.crt"
  '';

  # A certificate begins with the bytes 30 82, and so its base64 with MII.
  tests.certificates = ''
    file=$package/etc/ssl/certs/ca-certificates.crt
    test "$(grep -c '^-----BEGIN CERTIFICATE-----$' "$file")" = 150
    test "$(grep -A1 '^-----BEGIN' "$file" | grep -c '^MII')" = 150
  '';

  meta = {
    description = "Certificates of the authorities that Mozilla trusts for servers";
    homepage = "https://wiki.mozilla.org/CA";
    license = "MPL-2.0";
  };
}
