//! `doorward family list`.

use std::{fmt, num::NonZeroUsize};

use clap::{Args, ValueEnum};

use super::{day, find, json, read};
use crate::{
    admission::{DestinationPattern, Word as _},
    cli::{
        backend::BackendArguments,
        client::{destination, family, line, standing_parser},
        exit::{Failure, Outcome},
        output::{Messages, RecordOutput, visible_line},
        records::{self, Listed, Part},
        remote::{Collection, Query},
    },
    family::FamilyId,
    paths,
    store::{
        Access, FamilyFilter, FamilyOrder, FamilyPlace, FamilyRecord, Standing, Store, StoreError,
    },
};

/// List families, the one with the most clients first
#[derive(Args, Debug)]
#[command(
    after_help = "A running server counts registrations a few seconds after they were made, and people within half a \
minute. REGISTERED counts all registrations, CLIENTS those that were not removed, and PEOPLE those with a live connection.

Examples:
  doorward family list --output table
  doorward family list --sort seen --limit 20
  doorward family list --name claude --destination loopback
  doorward family list --standing suspended"
)]
pub(in crate::cli) struct ListArguments {
    /// Only families whose name contains this text, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Only families with a redirect URI that leads there: a host, *.HOST, loopback, or scheme:NAME
    #[arg(long, value_name = "DESTINATION", value_parser = destination)]
    destination: Option<DestinationPattern>,
    /// Only families of this standing: active or suspended
    #[arg(long, value_parser = standing_parser())]
    standing: Option<Standing>,
    /// The order: the most clients first, or the latest registration first
    #[arg(long, value_enum, value_name = "ORDER", default_value = "clients")]
    sort: Order,
    /// Show at most this many families [default: 100 in a table, else all]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<NonZeroUsize>,
    /// Continue after this family, the last of an earlier list
    #[arg(long, value_name = "FAMILY", value_parser = family)]
    after: Option<FamilyId>,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    Clients,
    Seen,
}

impl ListArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let order = match self.sort {
            Order::Clients => FamilyOrder::Clients,
            Order::Seen => FamilyOrder::LastSeen,
        };
        let backend = self.backend.open(Access::Read)?;
        let after = match self.after {
            None => None,
            Some(id) => {
                let family = find(&backend, id)?.map(|found| found.family);
                let family = family.ok_or_else(|| {
                    Failure::Usage(format!("--after names no family: there is no {id}"))
                })?;
                Some(Place(order.place(&family)))
            }
        };
        let filter = FamilyFilter {
            order,
            name_contains: self.name,
            destination: self.destination,
            standing: self.standing,
        };
        let part = Part { format: self.output.format(), limit: self.limit, after };
        records::list::<Row>(&backend, filter, part, messages)
    }
}

/// The filter as the list of the operator API takes it.
fn query(filter: &FamilyFilter) -> Query {
    let FamilyFilter { order, name_contains, destination, standing } = filter;
    let sort = match order {
        FamilyOrder::Clients => "-clients",
        FamilyOrder::LastSeen => "-last_seen_at",
    };
    let parameters = [
        ("sort", Some(sort.to_owned())),
        ("filter[name]", name_contains.clone()),
        ("filter[destination]", destination.as_ref().map(DestinationPattern::text)),
        ("filter[standing]", standing.map(|standing| standing.to_string())),
    ];
    parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// A family in one of the orders.
struct Row {
    family: FamilyRecord,
    order: FamilyOrder,
}

/// The place of a family in a list; a command line names the family.
#[derive(Clone, Copy)]
struct Place(FamilyPlace);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.family_id.fmt(f)
    }
}

impl Listed for Row {
    type Id = Place;
    type Filter = FamilyFilter;
    const NAME: &'static str = "family";
    const HEADER: &'static [&'static str] = &[
        "FAMILY\nSTANDING AND FLAGS",
        "REGISTERED\nLAST",
        "CLIENTS\nPEOPLE",
        "NAME\nDESTINATIONS",
    ];

    const API: Option<Collection<Self>> = Some(Collection {
        path: paths::FAMILIES,
        query,
        // A cursor needs no order: see `cursor`.
        read: |resource| {
            Some(read(resource).map(|family| Self { family, order: FamilyOrder::Clients }))
        },
        page_max: 100,
    });

    async fn page(
        store: &Store,
        filter: &FamilyFilter,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let page = store.families(filter, after.map(|Place(place)| place), limit).await?;
        Ok(page.into_iter().map(|family| Self { family, order: filter.order }).collect())
    }

    fn id(&self) -> Place {
        Place(self.order.place(&self.family))
    }

    fn cursor(Place(place): &Place) -> String {
        place.to_string()
    }

    fn line(&self) -> Result<String, Failure> {
        Ok(json(&self.family).to_string())
    }

    /// Two lines, so that a row fits a terminal of 80 columns.
    fn row(&self) -> Vec<String> {
        let Self { family, .. } = self;
        let flags = line::flag_names(family.flags).join(" ");
        let name = family.names.iter().next().unwrap_or_default();
        let places = family.key.rsplit_once('@').map_or("", |(_, places)| places);
        vec![
            format!("{}\n{} {flags}", family.family_id, family.standing).trim_end().to_owned(),
            format!("{}\n{}", family.registrations(), day(family.last_seen_at)),
            format!("{}\n{}", family.clients, family.people),
            format!("{}\n{}", visible_line(name), places.replace(',', " ")),
        ]
    }
}
