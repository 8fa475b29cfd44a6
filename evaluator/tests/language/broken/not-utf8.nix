# ok
"a" + ÿ
