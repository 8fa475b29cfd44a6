{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "perl";
  version = "5.40.1";

  src =
    (fetchSource {
      name = "perl-5.40.1";
      urls = [ "https://www.cpan.org/src/5.0/perl-5.40.1.tar.xz" ];
      hash = "sha256-36IMLu8rSvEzUlYQu7Zd0Td37PmYycWxzPDTCOcy7j8=";
      debian = {
        package = "perl";
        version = "5.40.1";
        file = "perl_5.40.1.orig.tar.xz";
      };
    }).source;

  # What Configure would ask the machine for: its kernel, its name, the time. It looks for functions without asking whether headers
  # declare them, and some headers of musl do so only where GNU's functions are asked for.
  configurePhase = ''
    cat >config.over <<END
    cf_time='Thu Jan  1 00:00:01 UTC 1970'
    osvers=0
    myuname=linux
    END
    $SHELL ./Configure -des -Dprefix="$out" -Dcc="$CC" -Doptimize="$CFLAGS" -Dsh=/bin/sh \
        -Accflags=-D_GNU_SOURCE -Uusedl -Uusenm -Dusethreads=undef -Duselargefiles -Dlibs=-lm -Dperllibs=-lm \
        -Dlibpth=/no-such-folder -Dglibpth=/no-such-folder -Dlocincpth=/no-such-folder -Dloclibpth=/no-such-folder \
        -Dmyhostname=localhost -Dmydomain=.localdomain -Dcf_by=builder -Dcf_email=builder@localhost -Dperladmin=root@localhost \
        -Dman1dir=none -Dman3dir=none -Dsiteman1dir=none -Dsiteman3dir=none -Dpager=cat -Dinstallusrbinperl=n
  '';
  # Without the documentation, which is half of the bytes, programs that need it or test others' modules, and what a perl with more
  # modules of C would be linked from.
  postInstall = ''
    chmod -R u+w "$out"
    find "$out/lib" \( -name '*.pod' -o -name '*.a' -o -name .packlist \) -delete
    rm -rf "$out"/lib/*/x86_64-linux/CORE
    rm -f "$out"/bin/{perldoc,pod2man,pod2text,pod2usage,podchecker,perlbug,perlthanks,prove,cpan,h2ph,h2xs,enc2xs,xsubpp,perlivp,splain,pl2pm,ptar*,piconv,instmodsh,libnetcfg,streamzip,zipdetails,encguess,corelist,json_pp,perl5.40.1}
    # Where the compiler was.
    remove_references $(grep -rlI /sx/store/ "$out/lib")
  '';

  tests.modules = ''
    test "$(perl -MList::Util=sum -MPOSIX=floor -MDigest::SHA=sha256_hex -MStorable=dclone -e 'print sum(map { floor($_ / 2) } @{dclone([1 .. 9])}), " ", substr(sha256_hex("abc"), 0, 8)')" = "20 ba7816bf"
    test "$(perl -e 'print `echo by the shell; true`')" = "by the shell"
  '';

  meta = {
    description = "Language for texts and systems";
    homepage = "https://www.perl.org/";
    license = "Artistic-1.0-Perl OR GPL-1.0-or-later";
    mainProgram = "perl";
    cpe = "cpe:2.3:a:perl:perl:5.40.1";
  };
}
