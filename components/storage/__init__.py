"""S3 buckets, their key and the roles that use them."""
