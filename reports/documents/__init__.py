"""PDF, web page and files: results in, bytes out."""
