let s = rec { x = 1; y = x; __overrides = { x = 5; z = 6; }; }; in [ s.x s.y s.z ]
