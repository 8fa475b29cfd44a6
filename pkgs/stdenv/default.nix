# The standard environment that packages are written in: `mkDerivation` runs setup.sh, the phases, with a compiler, a shell and
# the usual tools in PATH. `sx realise` never lets a build see more than what is named here and in the package.
#
#   pname, version          name of the store path: pname-version
#   src                     a folder (a source of `fetchSource`, or files of the flake); it is copied to /build/source
#   patches                 unified diffs, applied in order, exactly
#   nativeBuildInputs       run while the package is built: in PATH
#   buildInputs             what the package is compiled and linked with: headers, libraries, pkg-config files
#   propagatedBuildInputs   the same, and for whatever is built with the package too
#   configureFlags, makeFlags, buildFlags, checkFlags, installFlags   lists of words
#   outputs                 [ "out" ] unless given
#   doCheck                 whether checkPhase runs; false unless given
#   allowedReferences       what outputs may refer to beside themselves and propagatedBuildInputs; nothing unless given
#   runtimeShell            shell that scripts of the outputs begin with; /bin/sh unless given
#   tests                   attribute set of scripts; each becomes the derivation `tests.NAME`, run with the package in PATH
#   testInputs              further packages in PATH of the tests
#   passthru, meta          attributes of the result, not of the build. meta: description, homepage, license (SPDX), cpe, platforms
#
# Any other attribute is a variable of the build. `unpackPhase`, `patchPhase`, `configurePhase`, `buildPhase`, `checkPhase`,
# `installPhase` and `fixupPhase` replace a phase, `preBuild` and `postBuild` and their like stand around it; `phases` names the
# phases to run; `dontConfigure` and its like leave one out.
#
# `buildPlatform` is where the compiler runs, `hostPlatform` where the package will, `targetPlatform` what a compiler among the
# packages makes code for. All are one here; a cross compiler needs another `cc` and another `hostPlatform`, nothing else.
{
  # { package; variables; }: the compiler, and the variables that call it.
  cc,
  binutils,
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
    isFunction
    mapAttrs
    removeAttrs
    ;

  # What isn't given to the builder.
  ownAttributes = [
    "pname"
    "src"
    "nativeBuildInputs"
    "buildInputs"
    "propagatedBuildInputs"
    "allowedReferences"
    "runtimeShell"
    "tests"
    "testInputs"
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
          builtins.foldl' reach {
            paths = seen.paths ++ [ package.outPath ];
            packages = seen.packages ++ [ package ];
          } (package.propagatedBuildInputs or [ ]);
    in
    (builtins.foldl' reach {
      paths = [ ];
      packages = [ ];
    } packages).packages;

  folders = suffix: packages: concatStringsSep ":" (map (package: "${package}${suffix}") packages);

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
      ...
    }:
    let
      native = withPropagated nativeBuildInputs;
      libraries = withPropagated (buildInputs ++ propagatedBuildInputs);
      environment = [
        cc.package
        binutils
        shell
      ]
      ++ tools;
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
        inherit patch;
        SHELL = "${shell}/bin/bash";
        CONFIG_SHELL = "${shell}/bin/bash";
        PATH = folders "/bin" (native ++ environment);
        # GCC looks into these by itself, and pkg-config into the last.
        C_INCLUDE_PATH = folders "/include" libraries;
        CPLUS_INCLUDE_PATH = folders "/include" libraries;
        LIBRARY_PATH = folders "/lib" libraries;
        PKG_CONFIG_LIBDIR = folders "/lib/pkgconfig" libraries;
        build = buildPlatform.config;
        host = hostPlatform.config;
        runtimeShell = if runtimeShell == null then "/bin/sh" else "${runtimeShell}/bin/sh";
        forbiddenReferences = builtins.filter (
          path: !elem path (map toString (allowedReferences ++ propagatedBuildInputs))
        ) (map toString (native ++ libraries ++ environment ++ [ src ]));
        LC_ALL = "C";
        TZ = "UTC";
        # What asks for a date gets this one: builds have no clock to rely on.
        SOURCE_DATE_EPOCH = "1";
      }
      // cc.variables
      // removeAttrs attributes ownAttributes
    );

  # A package with its tests and the ways to change it.
  package =
    function:
    let
      attributes = function result;
      built = build attributes;
      test =
        name: script:
        derivation {
          name = "${attributes.pname}-test-${name}";
          system = hostPlatform.system;
          builder = "${shell}/bin/bash";
          args = [
            "-eu"
            "-o"
            "pipefail"
            "-c"
            "${script}\necho passed >\"$out\"\n"
          ];
          PATH = folders "/bin" ([ built ] ++ (attributes.testInputs or [ ]) ++ [ shell ] ++ tools);
          package = built;
        };
      result =
        built
        // {
          inherit (attributes) pname version;
          inherit (attributes) src;
          propagatedBuildInputs = attributes.propagatedBuildInputs or [ ];
          tests = mapAttrs test (attributes.tests or { });
          meta = {
            platforms = [ hostPlatform.system ];
          }
          // attributes.meta or { };
          # `pkgs.zlib.overrideAttrs (previous: { … })`, or just the set.
          overrideAttrs =
            change:
            package (
              self:
              let
                previous = function self;
              in
              previous // (if isFunction change then change previous else change)
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
