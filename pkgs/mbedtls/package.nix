{
  stdenv,
  fetchSource,
  binutils,
}:

stdenv.mkDerivation {
  pname = "mbedtls";
  version = "3.6.6";

  src =
    (fetchSource {
      name = "mbedtls-3.6.6";
      urls = [ "https://github.com/Mbed-TLS/mbedtls/releases/download/mbedtls-3.6.6/mbedtls-3.6.6.tar.bz2" ];
      hash = "sha256-j7Zfro3K5YQPeTwKM0hgpBH4hMxTfqKQzhxSu2TKAHo=";
      debian = {
        package = "mbedtls";
        version = "3.6.6";
        file = "mbedtls_3.6.6.orig.tar.bz2";
      };
    }).source;

  # The release carries the C files that its Perl and Python scripts generate.
  makeFlags = [
    "GEN_FILES="
    "WARNING_CFLAGS="
  ];
  buildFlags = [ "lib" ];
  # Its makefile installs no files for pkg-config; the build by CMake would fill these in.
  installPhase = ''
    mkdir -p "$out/lib/pkgconfig" "$out/include"
    cp library/*.a "$out/lib"
    cp -r include/mbedtls include/psa "$out/include"
    for file in pkgconfig/*.pc.in; do
        name=''${file%.in}
        sed -e "s|@CMAKE_INSTALL_PREFIX@|$out|" -e "s|@PKGCONFIG_INCLUDEDIR@|$out/include|" -e "s|@PKGCONFIG_LIBDIR@|$out/lib|" \
            -e "s|@PROJECT_VERSION@|$version|" -e "s|@[A-Z_]*@|Mbed TLS|" "$file" >"$out/lib/$name"
    done
  '';

  # Its own tests of the ciphers, against the values of their standards.
  tests.ciphers = ''
    cat >ciphers.c <<'END'
    #include <mbedtls/aes.h>
    #include <mbedtls/gcm.h>
    #include <mbedtls/md5.h>
    #include <mbedtls/rsa.h>
    #include <mbedtls/sha256.h>
    int main(void)
    {
        return mbedtls_sha256_self_test(0) || mbedtls_aes_self_test(0) || mbedtls_gcm_self_test(0) || mbedtls_rsa_self_test(0);
    }
    END
    gcc -I"$package/include" ciphers.c -L"$package/lib" -lmbedcrypto -o ciphers
    ./ciphers
  '';
  testInputs = [
    stdenv.cc
    binutils
  ];

  meta = {
    description = "Library of TLS and of the ciphers it needs, small enough for devices";
    homepage = "https://www.trustedfirmware.org/projects/mbed-tls/";
    license = "Apache-2.0 OR GPL-2.0-or-later";
    cpe = "cpe:2.3:a:arm:mbed_tls:3.6.6";
  };
}
