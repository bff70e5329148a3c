//! Documents on paper: receipts and tickets as PDF.
