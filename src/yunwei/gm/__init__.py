"""国密: SM2, SM3, SM4. A library usable on its own; not a certified product (密评 asks for one): see the threat model."""
