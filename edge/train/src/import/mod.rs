//! From other people's logs to datasets.

mod bid_requests;
mod money;
pub mod online_retail;
mod shop;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::dataset::FileError;

/// A file as it is, or unpacked where its name ends in `.zst`.
fn open(file: &Path) -> Result<Box<dyn Read>, FileError> {
    let source = BufReader::new(File::open(file).map_err(FileError::io(file))?);
    if file.extension().is_none_or(|e| e != "zst") {
        return Ok(Box::new(source));
    }
    let decoder = ruzstd::decoding::StreamingDecoder::new(source);
    let decoder = decoder.map_err(|e| FileError::whole(file, format!("not Zstandard: {e}")))?;
    Ok(Box::new(BufReader::new(decoder)))
}
