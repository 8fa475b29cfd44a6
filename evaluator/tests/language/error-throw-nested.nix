let
  check = value:
    if value == null then
      throw "value must not be null"
    else value;
  set = { a.b.c = check null; };
in set.a.b
