let n = "dyn"; in [
  { a.b = 1; a.c = 2; a = { d = 3; }; "a"."e" = 4; }
  { a = { x = 1; }; a.y = 2; }
  { a.${n} = 1; a.b = 2; ${n} = 3; ${null} = 4; }
  (rec { a.b = c; c = 1; a.d = a.b + c; })
  { a = rec { x = 1; y = x; }; a.z = 3; }
  { ${"static"} = 1; "with space" = 2; "if" = 3; }
]
