//! What must hold for every schema, found by walking them all; and that `crds/` is up to date.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool};

use super::*;

/// `make crds` sets it: then the files are written, not compared.
const UPDATE: &str = "CHANCERY_UPDATE_CRDS";

#[test]
fn the_files_in_crds_are_what_the_code_gives() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crds");
    let files = files().unwrap();
    if env::var_os(UPDATE).is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &files {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    for (name, text) in &files {
        let stored = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert_eq!(&stored, text, "crds/{name} is not what the code gives; run `make crds`");
    }
    let mut stored: BTreeSet<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(stored.remove("Kustomization"), "crds/ cannot be installed with kubectl apply -k");
    assert_eq!(stored, files.into_iter().map(|(name, _)| name).collect(), "crds/ holds a file that no kind gives");
}

#[test]
fn one_stream_holds_all_definitions() {
    let text = render().unwrap();
    assert_eq!(text.matches("\nkind: CustomResourceDefinition").count(), 4);
}

/// Calls `see` with each schema below the root's spec and status, and its path.
fn walk(see: &mut dyn FnMut(&str, &JSONSchemaProps)) {
    for definition in definitions() {
        let root = definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap();
        for (part, schema) in root.properties.unwrap() {
            if part == "spec" || part == "status" {
                descend(&format!("{}.{part}", definition.spec.names.kind), &schema, see);
            }
        }
    }
}

fn descend(path: &str, schema: &JSONSchemaProps, see: &mut dyn FnMut(&str, &JSONSchemaProps)) {
    see(path, schema);
    for (name, property) in schema.properties.iter().flatten() {
        descend(&format!("{path}.{name}"), property, see);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        descend(&format!("{path}[]"), item, see);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &schema.additional_properties {
        descend(&format!("{path}{{}}"), value, see);
    }
}

#[test]
fn nothing_has_a_default_but_the_status() {
    walk(&mut |path, schema| {
        assert_eq!(schema.default.is_some(), path.matches('.').count() == 1 && path.ends_with(".status"), "{path}");
        assert!(schema.nullable.is_none(), "{path}");
    });
}

#[test]
fn everything_has_a_bound() {
    walk(&mut |path, schema| match schema.type_.as_deref() {
        Some("string") => assert!(schema.max_length.is_some() || schema.enum_.is_some(), "{path} has no maxLength"),
        Some("array") => assert!(schema.max_items.is_some(), "{path} has no maxItems"),
        Some("object") if schema.additional_properties.is_some() => assert!(schema.max_properties.is_some(), "{path} has no maxProperties"),
        Some("object" | "boolean" | "integer") => {}
        other => panic!("{path} has the type {other:?}"),
    });
}

#[test]
fn every_field_is_explained_and_no_schema_is_open() {
    walk(&mut |path, schema| {
        let field = !path.ends_with(']') && !path.ends_with('}');
        if field {
            let description = schema.description.as_deref().unwrap_or_default();
            assert!(description.ends_with('.'), "{path} is not explained: {description:?}");
            assert!(!description.contains('`'), "{path}: no marks in a description that a terminal shows: {description:?}");
        }
        assert!(schema.x_kubernetes_preserve_unknown_fields.is_none(), "{path}");
        assert!(schema.one_of.is_none() && schema.any_of.is_none() && schema.all_of.is_none(), "{path} is not structural");
    });
}

#[test]
fn numbers_have_formats_that_the_api_server_knows() {
    walk(&mut |path, schema| {
        if let Some(format) = &schema.format {
            assert!(["int32", "int64", "date-time"].contains(&format.as_str()), "{path} has the format {format}");
        }
    });
}

#[test]
fn kinds_are_found_by_their_own_short_names_and_by_their_issuer() {
    let names: Vec<_> = definitions().into_iter().map(|definition| definition.spec.names).collect();
    assert_eq!(
        names.iter().map(|names| names.short_names.clone().unwrap().concat()).collect::<Vec<_>>(),
        ["ccert", "cissuer", "cclusterissuer", "crl"]
    );
    assert!(names.iter().all(|names| names.categories.as_deref() == Some(&["chancery".to_owned()])));
    let selectable = definitions()[0].spec.versions[0].selectable_fields.clone().unwrap();
    assert_eq!(
        selectable.into_iter().map(|field| field.json_path).collect::<Vec<_>>(),
        [".spec.issuerRef.group", ".spec.issuerRef.kind", ".spec.issuerRef.name"]
    );
}
