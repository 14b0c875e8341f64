"""国密: SM2, SM3, SM4. A library usable on its own. Not a certified product, which 密评 asks for: see the threat
model.
"""
