//! The parts of a subject that have a field of their own.
//!
//! How they are written into a name is said by `attribute`.

use super::attribute::Attribute;

/// The parts of a distinguished name that a user can give. Empty lists and absent values leave nothing in the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectParts {
    /// CN, at most [`COMMON_NAME_MAX`](super::COMMON_NAME_MAX) characters.
    pub common_name: Option<String>,
    /// O.
    pub organizations: Vec<String>,
    /// C.
    pub countries: Vec<String>,
    /// OU.
    pub organizational_units: Vec<String>,
    /// L.
    pub localities: Vec<String>,
    /// ST.
    pub provinces: Vec<String>,
    /// STREET.
    pub street_addresses: Vec<String>,
    /// postalCode.
    pub postal_codes: Vec<String>,
    /// serialNumber of the subject; nothing to do with the certificate's.
    pub serial_number: Option<String>,
}

impl SubjectParts {
    /// The values of an attribute among the parts.
    pub(super) fn values(&self, attribute: Attribute) -> &[String] {
        match attribute {
            Attribute::Country => &self.countries,
            Attribute::Province => &self.provinces,
            Attribute::Locality => &self.localities,
            Attribute::Street => &self.street_addresses,
            Attribute::PostalCode => &self.postal_codes,
            Attribute::Organization => &self.organizations,
            Attribute::OrganizationalUnit => &self.organizational_units,
            Attribute::CommonName => self.common_name.as_slice(),
            Attribute::SerialNumber => self.serial_number.as_slice(),
            Attribute::DomainComponent | Attribute::UserId | Attribute::EmailAddress | Attribute::Other(_) => &[],
        }
    }

    /// Adds a value to the parts; none when it has no place, or its place is taken.
    pub(super) fn add(&mut self, attribute: Attribute, value: String) -> Option<()> {
        let single = |place: &mut Option<String>, value| {
            if place.is_some() {
                return None;
            }
            *place = Some(value);
            Some(())
        };
        match attribute {
            Attribute::CommonName => return single(&mut self.common_name, value),
            Attribute::SerialNumber => return single(&mut self.serial_number, value),
            Attribute::Country => &mut self.countries,
            Attribute::Province => &mut self.provinces,
            Attribute::Locality => &mut self.localities,
            Attribute::Street => &mut self.street_addresses,
            Attribute::PostalCode => &mut self.postal_codes,
            Attribute::Organization => &mut self.organizations,
            Attribute::OrganizationalUnit => &mut self.organizational_units,
            Attribute::DomainComponent | Attribute::UserId | Attribute::EmailAddress | Attribute::Other(_) => return None,
        }
        .push(value);
        Some(())
    }
}
