"""The report: records in, a PDF with its JSON, CSV and web page out; tables for people. Reads records only."""
