{ a = x: x; b = map; c = map (x: x); d = [ ]; e = { }; "f g" = "\${" + "$" + "{"; h = /a/b; i = 1.0; j = null; let_ = { "let" = 1; "1a" = 2; a-b' = 3; }; }
