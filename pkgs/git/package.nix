{ stdenv, fetchSource, ca-certificates, curl, zlib }:

stdenv.mkDerivation {
  pname = "git";
  version = "2.47.3";

  src =
    (fetchSource {
      name = "git-2.47.3";
      urls = [ "https://www.kernel.org/pub/software/scm/git/git-2.47.3.tar.xz" ];
      hash = "sha256-nC6xJQeBs+W/7wmFctB/3xMtZ+bAZeQwczKt6YGaFQE=";
      debian = {
        package = "git";
        version = "2.47.3";
        file = "git_2.47.3.orig.tar.xz";
      };
    }).source;

  buildInputs = [
    curl
    zlib
  ];

  # configure only guesses what these say. git-send-email, git-svn and their like are Perl and Python scripts, left out. What are
  # scripts of the shell, such as git-submodule, want one at /bin/sh where git runs.
  dontConfigure = true;
  makeFlags = [
    "V=1"
    "prefix=$(out)"
    "NO_PERL=1"
    "NO_PYTHON=1"
    "NO_TCLTK=1"
    "NO_GETTEXT=1"
    "NO_OPENSSL=1"
    # For pushing by WebDAV alone.
    "NO_EXPAT=1"
    "NO_REGEX=NeedsStartEnd"
    "NO_INSTALL_HARDLINKS=1"
    "INSTALL_SYMLINKS=1"
    "NO_SYS_POLL_H="
    "SHELL_PATH=/bin/sh"
    "CC=gcc"
    "CURL_CFLAGS="
    "CURL_LDFLAGS=-lcurl -lmbedtls -lmbedx509 -lmbedcrypto -lz"
    "HAVE_CLOCK_GETTIME=1"
    "HAVE_PATHS_H=1"
    "HAVE_GETDELIM=1"
    "CSPRNG_METHOD=getrandom"
  ];
  # Mail, and servers of two old protocols.
  postInstall = ''
    rm -f "$out"/libexec/git-core/git-{imap-send,daemon,http-backend,http-fetch} "$out"/bin/{git-cvsserver,gitk}
  '';

  image.env.GIT_SSL_CAINFO = "${ca-certificates}/etc/ssl/certs/ca-certificates.crt";

  tests.commit = ''
    export HOME=$PWD GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
    git init -q repository && cd repository
    printf 'a text\n' >file && git add file && git commit -q -m first
    git clone -q . ../copy && test "$(git -C ../copy log --format=%s)" = first
  '';

  meta = {
    description = "Version control of source code";
    homepage = "https://git-scm.com/";
    license = "GPL-2.0-only";
    mainProgram = "git";
    cpe = "cpe:2.3:a:git-scm:git:2.47.3";
  };
}
