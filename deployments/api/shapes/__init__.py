"""How the API shows things, a noun a file; also what its description is made from."""
