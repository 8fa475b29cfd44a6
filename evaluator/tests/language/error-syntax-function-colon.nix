{ a, b } a + b
