"""The rotation of the JWT secret (section 7.3), without logging anybody out (defect 15)."""
