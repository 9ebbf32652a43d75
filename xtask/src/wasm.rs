//! Reading and changing sections of a WASM file. Everything else is copied byte by byte, because relocations count bytes.

use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::ops::Range;
use wasm_encoder::{DataCountSection, DataSection, ExportKind, ExportSection, Module, RawSection};
use wasmparser::{DataKind, Export, ExternalKind, KnownCustom, Name, Operator, Parser, Payload};

/// Begins the names of exports that only the splitter sees.
const OURS: &str = "__shared_";

/// The names of the functions that have one.
pub(crate) fn function_names(bytes: &[u8]) -> Result<Vec<(u32, String)>> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::CustomSection(section) = payload? else {
            continue;
        };
        let KnownCustom::Name(parts) = section.as_known() else {
            continue;
        };
        for part in parts {
            if let Name::Function(map) = part? {
                for naming in map {
                    let naming = naming?;
                    names.push((naming.index, naming.name.to_owned()));
                }
            }
        }
    }
    Ok(names)
}

/// Adds an export for every function of these names.
pub(crate) fn export(bytes: &[u8], functions: &BTreeSet<String>) -> Result<Vec<u8>> {
    let added: Vec<_> = function_names(bytes)?
        .into_iter()
        .filter(|(_, name)| functions.contains(name))
        .map(|(index, _)| (format!("{OURS}{index}"), index))
        .collect();
    with_exports(bytes, |_| true, &added)
}

/// Removes what [`export`] added.
pub(crate) fn hide_exports(bytes: &[u8]) -> Result<Vec<u8>> {
    with_exports(bytes, |name| !name.starts_with(OURS), &[])
}

/// The data segments of a file that has nothing but data; none when it has more than that.
pub(crate) fn only_data(bytes: &[u8]) -> Result<Option<Vec<Vec<u8>>>> {
    let mut segments = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::CodeSectionEntry(_) | Payload::ElementSection(_) | Payload::StartSection { .. } => {
                return Ok(None);
            }
            Payload::GlobalSection(globals) if globals.count() > 0 => return Ok(None),
            Payload::DataSection(data) => {
                for segment in data {
                    let segment = segment?;
                    // Anything but a fixed place in the one memory would mean something else in another file.
                    let DataKind::Active {
                        memory_index: 0,
                        offset_expr,
                    } = &segment.kind
                    else {
                        return Ok(None);
                    };
                    let Operator::I32Const { .. } = offset_expr.get_operators_reader().read()? else {
                        return Ok(None);
                    };
                    segments.push(slice(bytes, &segment.range)?.to_vec());
                }
            }
            _ => {}
        }
    }
    Ok(Some(segments))
}

/// Appends data segments that [`only_data`] found.
pub(crate) fn with_data(bytes: &[u8], added: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match &payload {
            Payload::DataCountSection { count, .. } => {
                module.section(&DataCountSection {
                    count: count + u32::try_from(added.len())?,
                });
            }
            Payload::DataSection(data) => {
                let mut section = DataSection::new();
                for segment in data.clone() {
                    section.raw(slice(bytes, &segment?.range)?);
                }
                for segment in added {
                    section.raw(segment);
                }
                module.section(&section);
            }
            _ => copy(&mut module, &payload, bytes)?,
        }
    }
    Ok(module.finish())
}

fn slice<'a>(bytes: &'a [u8], range: &Range<u64>) -> Result<&'a [u8]> {
    Ok(&bytes[usize::try_from(range.start)?..usize::try_from(range.end)?])
}

/// Removes the custom sections: names of functions and the like, which only people read.
pub(crate) fn strip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if !matches!(payload, Payload::CustomSection(_)) {
            copy(&mut module, &payload, bytes)?;
        }
    }
    Ok(module.finish())
}

fn copy(module: &mut Module, section: &Payload, bytes: &[u8]) -> Result<()> {
    if let Some((id, range)) = section.as_section() {
        module.section(&RawSection {
            id,
            data: slice(bytes, &range)?,
        });
    }
    Ok(())
}

fn with_exports(bytes: &[u8], keep: impl Fn(&str) -> bool, added: &[(String, u32)]) -> Result<Vec<u8>> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let Payload::ExportSection(exports) = payload {
            let mut section = ExportSection::new();
            for export in exports {
                let Export { name, kind, index } = export?;
                if keep(name) {
                    section.export(name, kind_of(kind)?, index);
                }
            }
            for (name, index) in added {
                section.export(name, ExportKind::Func, *index);
            }
            module.section(&section);
        } else {
            copy(&mut module, &payload, bytes)?;
        }
    }
    Ok(module.finish())
}

fn kind_of(kind: ExternalKind) -> Result<ExportKind> {
    Ok(match kind {
        ExternalKind::Func => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
        ExternalKind::FuncExact => bail!("an export of a kind that no compiler writes yet"),
    })
}
