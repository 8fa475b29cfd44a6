# One package out of a set of 80,000 with three overlays: fixed points, callPackage, overriding.
let
  inherit (builtins) functionArgs genList intersectAttrs listToAttrs;
  fix = f: let self = f self; in self;
  extends = overlay: f: self: let super = f self; in super // overlay self super;
  makeOverridable = f: arguments: let result = f arguments; in
    result // { override = changes: makeOverridable f (arguments // changes); };
  callPackageWith = scope: f: arguments: makeOverridable f (intersectAttrs (functionArgs f) scope // arguments);
  base = self:
    let callPackage = callPackageWith self; in
    { fetch = name: "source of ${name}"; lib.version = "1"; inherit callPackage; }
    // listToAttrs (genList (n: {
      name = "package${toString n}";
      value = callPackage ({ fetch, lib, callPackage, debug ? false, ... }@arguments: {
        name = "package${toString n}-${lib.version}";
        source = fetch "package${toString n}";
        depth = if n == 0 then 0 else self."package${toString (n / 2)}".depth + 1;
      }) { };
    }) 80000);
  overlay = step: self: super: listToAttrs (genList (n: {
    name = "package${toString (n * step)}";
    value = super."package${toString (n * step)}".override { debug = true; };
  }) (80000 / step));
  packages = fix (extends (overlay 10) (extends (overlay 7) (extends (overlay 3) base)));
in
map (n: { inherit (packages."package${toString n}") name source depth; }) [ 79999 42000 210 1 ]
