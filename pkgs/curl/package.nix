# With mbedtls, which is small and needs nothing but a C compiler, where others want Perl.
{ stdenv, fetchSource, ca-certificates, mbedtls, zlib }:

stdenv.mkDerivation {
  pname = "curl";
  version = "8.14.1";

  src =
    (fetchSource {
      name = "curl-8.14.1";
      urls = [ "https://curl.se/download/curl-8.14.1.tar.gz" ];
      hash = "sha256-Z2atpxAdKStCuLFWgRIKzWjv+kqWYJNYU89tYfDZhNQ=";
      debian = {
        package = "curl";
        version = "8.14.1";
        file = "curl_8.14.1.orig.tar.gz";
      };
    }).source;

  outputs = [
    "out"
    "dev"
  ];

  # What is linked with the static library needs these too.
  propagatedBuildInputs = [
    mbedtls
    zlib
  ];

  # Certificates lie where other distributions have them too, unless SSL_CERT_FILE says otherwise, as it does in an image.
  configureFlags = [
    "--with-mbedtls=${mbedtls}"
    "--with-zlib=${zlib}"
    "--without-libpsl"
    "--without-libidn2"
    "--without-brotli"
    "--without-zstd"
    "--without-nghttp2"
    "--disable-ldap"
    "--disable-docs"
    "--disable-manual"
    "--enable-threaded-resolver"
    "--with-ca-bundle=/etc/ssl/certs/ca-certificates.crt"
  ];

  # curl-config tells with which options curl was configured; wcurl is a script for a shell with many programs; libcurl.la would be
  # alone in its folder.
  postInstall = ''rm "$out/bin/curl-config" "$out/bin/wcurl" "$out/lib/libcurl.la"'';

  image.env.SSL_CERT_FILE = "${ca-certificates}/etc/ssl/certs/ca-certificates.crt";

  tests.version = ''
    curl --version | grep -q '^curl 8.14.1 .*mbedTLS/3.6.6'
    printf 'a file' >file && curl -s "file://$PWD/file" | grep -q '^a file$'
  '';

  meta = {
    description = "Program and library that transfer files by URL";
    homepage = "https://curl.se/";
    license = "curl";
    mainProgram = "curl";
    cpe = "cpe:2.3:a:haxx:curl:8.14.1";
  };
}
