# The standard environment that packages are written in: `mkDerivation` runs setup.sh, the phases, with a compiler, a shell and
# the usual tools in PATH. `sx realise` never lets a build see more than what is named here and in the package.
#
#   pname, version          name of the store path: pname-version
#   src                     a folder (a source of `fetchSource`, or files of the flake); it is copied to /build/source
#   patches                 unified diffs, applied in order, exactly
#   nativeBuildInputs       run while the package is built: in PATH. Where platforms differ they come from `buildPackages`
#   buildInputs             what the package is compiled and linked with: headers, libraries, pkg-config files
#   propagatedBuildInputs   the same, and for whatever is built with the package too
#   configureFlags, makeFlags, buildFlags, checkFlags, installFlags   lists; each member is one word, whatever is in it
#   shared                  whether libraries are shared and programs load them when they start; false unless given
#   outputs                 [ "out" ] unless given. Headers, archives and pkg-config files go to `dev` if that is one of them
#   doCheck                 whether checkPhase runs; false unless given
#   allowedReferences       what outputs may refer to beside themselves and propagatedBuildInputs; nothing unless given. sx
#                           refuses an output with another reference, and names the file that has it
#   runtimeShell            shell that scripts of the outputs begin with; /bin/sh unless given
#   tests                   attribute set of scripts; each becomes the derivation `tests.NAME`, run with the package in PATH
#   testInputs              further packages in PATH of the tests
#   image                   what the exporter puts into the image's configuration; the entrypoint is meta.mainProgram's
#   passthru, meta          attributes of the result, not of the build. meta: description, homepage, license (SPDX), mainProgram,
#                           cpe, platforms
#
# Any other attribute is a variable of the build. `unpackPhase`, `patchPhase`, `configurePhase`, `buildPhase`, `checkPhase`,
# `installPhase` and `fixupPhase` replace a phase, `preBuild` and `postBuild` and their like stand around it; `phases` names the
# phases to run; `dontConfigure` and its like leave one out.
#
# The result has `overrideAttrs`: `pkgs.zlib.overrideAttrs (previous: { … })`, with a set, or with a function of the finished
# package and the previous attributes.
#
# `buildPlatform` is where the compiler runs, `hostPlatform` where the package will, `targetPlatform` what a compiler among the
# packages makes code for. All are one here. Where they aren't, `cc` and `binutils` make code for hostPlatform, and `buildCc`,
# named CC_FOR_BUILD in a build, for programs that run while it goes on.
{
  # { package; variables; libc; }: the compiler, the variables that call it, and the C library of shared programs.
  cc,
  binutils,
  # The same for buildPlatform.
  buildCc ? cc,
  buildBinutils ? binutils,
  shell,
  # Packages in PATH of every build.
  tools,
  # Program that applies patches: `patch FOLDER DIFF…`.
  patch,
  buildPlatform,
  hostPlatform ? buildPlatform,
  targetPlatform ? hostPlatform,
}:
let
  inherit (builtins)
    concatStringsSep
    elem
    filter
    foldl'
    isFunction
    isList
    mapAttrs
    match
    removeAttrs
    replaceStrings
    ;

  # What isn't given to the builder.
  ownAttributes = [
    "pname"
    "src"
    "nativeBuildInputs"
    "buildInputs"
    "propagatedBuildInputs"
    "runtimeShell"
    "tests"
    "testInputs"
    "image"
    "passthru"
    "meta"
  ];

  # The packages, then those that they propagate, each once.
  withPropagated =
    packages:
    let
      reach =
        seen: package:
        if elem package.outPath seen.paths then
          seen
        else
          foldl' reach {
            paths = seen.paths ++ [ package.outPath ];
            packages = seen.packages ++ [ package ];
          } (package.propagatedBuildInputs or [ ]);
    in
    (foldl' reach {
      paths = [ ];
      packages = [ ];
    } packages).packages;

  tests = import ../lib/tests.nix {
    inherit (hostPlatform) system;
    shell = "${shell}/bin/bash";
    tools = [ shell ] ++ tools;
  };

  folders = suffix: packages: concatStringsSep ":" (map (package: "${package}${suffix}") packages);

  # The output with headers and archives.
  development = package: package.dev or package;

  outputPaths =
    packages:
    builtins.concatMap (package: map (output: "${package.${output}}") (package.outputs or [ "out" ])) packages;

  # A list of words as a text that a shell reads as those words.
  quoted =
    words:
    let
      quote =
        word:
        let
          text = toString word;
        in
        if match "[A-Za-z0-9_./:=@%^,+-]+" text != null then text else "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
    in
    if isList words then concatStringsSep " " (map quote words) else words;

  flags =
    attributes:
    mapAttrs (_: quoted) (
      builtins.intersectAttrs {
        configureFlags = null;
        makeFlags = null;
        buildFlags = null;
        checkFlags = null;
        installFlags = null;
      } attributes
    );

  build =
    attributes@{
      pname,
      version,
      src,
      nativeBuildInputs ? [ ],
      buildInputs ? [ ],
      propagatedBuildInputs ? [ ],
      allowedReferences ? [ ],
      runtimeShell ? null,
      outputs ? [ "out" ],
      shared ? false,
      ...
    }:
    let
      native = withPropagated nativeBuildInputs;
      libraries = withPropagated (buildInputs ++ propagatedBuildInputs);
      compilers = [
        cc.package
        binutils
      ]
      ++ (if buildCc == cc then [ ] else [ buildCc.package buildBinutils ]);
    in
    derivation (
      {
        name = "${pname}-${version}";
        system = buildPlatform.system;
        builder = "${shell}/bin/bash";
        args = [
          "-e"
          ./setup.sh
        ];
        source = src;
        inherit patch outputs;
        # A link /bin/sh to it, which is all that scripts and makefiles need to know.
        binSh = "${shell}/bin/bash";
        SHELL = "/bin/sh";
        CONFIG_SHELL = "/bin/sh";
        PATH = folders "/bin" (native ++ compilers ++ [ shell ] ++ tools);
        # GCC looks into these by itself, and pkg-config into the last.
        C_INCLUDE_PATH = folders "/include" (map development libraries);
        CPLUS_INCLUDE_PATH = folders "/include" (map development libraries);
        LIBRARY_PATH = folders "/lib" (map development libraries);
        PKG_CONFIG_LIBDIR = folders "/lib/pkgconfig" (map development libraries);
        # Where programs with shared libraries look for those of other packages.
        libraryFolders = folders "/lib" (allowedReferences ++ propagatedBuildInputs);
        build = buildPlatform.config;
        host = hostPlatform.config;
        CC_FOR_BUILD = buildCc.variables.CC;
        runtimeShell = if runtimeShell == null then "/bin/sh" else "${runtimeShell}/bin/sh";
        LC_ALL = "C";
        TZ = "UTC";
        # Manuals that texinfo would make.
        MAKEINFO = "true";
        # What asks for a date gets this one: builds have no clock to rely on.
        SOURCE_DATE_EPOCH = "1";
      }
      // cc.variables
      // removeAttrs attributes ownAttributes
      // flags attributes
      // {
        allowedReferences =
          outputs
          ++ outputPaths (allowedReferences ++ propagatedBuildInputs ++ (if runtimeShell == null then [ ] else [ runtimeShell ]))
          # The loader of shared libraries is the C library's.
          ++ (if shared then [ "${cc.libc}" ] else [ ]);
      }
    );

  # The attributes, if those are there that no package is without.
  complete =
    attributes:
    let
      missing = filter (name: !builtins.hasAttr name attributes) [
        "pname"
        "version"
        "src"
      ];
      name = attributes.pname or attributes.name or "without a name";
    in
    if missing == [ ] then
      attributes
    else
      throw "the package `${name}` has no `${concatStringsSep "`, no `" missing}`; `stdenv.mkDerivation` asks for `pname`, `version` and `src`";

  # A package with its tests and the ways to change it.
  package =
    function:
    let
      attributes = complete (function result);
      built = build attributes;
      meta = {
        platforms = [ hostPlatform.system ];
      }
      // attributes.meta or { };
      entrypoint = if meta ? mainProgram then { entrypoint = [ "${built}/bin/${meta.mainProgram}" ]; } else { };
      result =
        built
        // {
          inherit (attributes) pname version src;
          inherit meta;
          propagatedBuildInputs = attributes.propagatedBuildInputs or [ ];
          tests = tests {
            inherit (attributes) pname;
            package = built;
            scripts = attributes.tests or { };
            inputs = attributes.testInputs or [ ];
          };
          image = entrypoint // attributes.image or { };
          overrideAttrs =
            change:
            package (
              self:
              let
                previous = function self;
                # A function of the previous attributes, or of the finished package and them.
                changed = change previous;
              in
              previous
              // (
                if !isFunction change then
                  change
                else if isFunction changed then
                  change self previous
                else
                  changed
              )
            );
        }
        // attributes.passthru or { };
    in
    result;
in
{
  inherit buildPlatform hostPlatform targetPlatform;
  cc = cc.package;
  inherit shell;

  # Takes the attributes, or a function from the finished package to them.
  mkDerivation = attributes: package (if isFunction attributes then attributes else _: attributes);
}
