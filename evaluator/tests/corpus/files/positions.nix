# Where attributes stand, as [ line column ]; null if nowhere.
let
  place = name: set:
    let found = builtins.unsafeGetAttrPos name set;
    in if found == null then null else [ found.line found.column ];
  name = "a";
in
{
  plain = place "a" { a = 1; };
  quoted = place "a b" { "a b" = 1; };
  dynamic = place "a" { ${name + ""} = 1; };
  nested = place "c" { a.b.c = 1; }.a.b;
  nestedTwice = map (name: place name { a.b = 1; a.c = 2; }.a) [ "b" "c" ];
  below = place "b" { ${name}.b = 1; }.a;
  merged = place "c" { a = { b = 1; }; a.c = 2; }.a;
  recursive = place "b" (rec { a.b = 1; c = a; }).a;
  inherited = let a = 1; in place "a" { inherit a; };
  inheritedFrom = place "a" { inherit ({ a = 1; }) a; };
  updated = place "a" ({ a = 1; } // { a = 2; });
  mapped = place "a" (builtins.mapAttrs (name: value: value) { a = 1; });
  listed = place "a" (builtins.listToAttrs [ { name = "a"; value = 1; } ]);
  intersected = place "a" (builtins.intersectAttrs { a = 1; } { a = 2; });
  removed = place "a" (removeAttrs { a = 1; b = 2; } [ "b" ]);
  zipped = place "a" (builtins.zipAttrsWith (name: values: values) [ { a = 1; } ]);
  grouped = place "a" (builtins.groupBy (text: text) [ "a" ]);
  formals = place "a" (builtins.functionArgs ({ b ? 1, a ? 2 }: 1));
  parsed = place "a" (builtins.fromJSON ''{ "a": 1 }'');
  overridden = place "a" (rec { __overrides = { a = 2; }; a = 1; });
  here = [ __curPos.line __curPos.column ];
}
