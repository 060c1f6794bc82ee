//! How values of the model stand in Postgres columns.

use natter_model::id::Position;
use natter_model::timestamp::Timestamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Row as _, Type};

/// Microseconds from the Unix epoch to Postgres' own, the start of the year 2000.
const PG_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The built-in types' numbers, the same in every server (`pg_type.dat`).
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// A `timestamptz`, to the microsecond.
#[derive(Debug, Clone, Copy)]
pub struct PgTime(pub Timestamp);

impl Type<Postgres> for PgTime {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl PgHasArrayType for PgTime {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for PgTime {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.as_micros().checked_sub(PG_EPOCH_MICROS).ok_or("a time before all databases")?;
        Encode::<Postgres>::encode(micros, buffer)
    }
}

impl Decode<'_, Postgres> for PgTime {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<Postgres>>::decode(value)?;
        Ok(Self(Timestamp::from_micros(micros.checked_add(PG_EPOCH_MICROS).ok_or("a time beyond all calendars")?)))
    }
}

/// An id out of a column.
pub(crate) fn id<T>(row: &PgRow, column: &str) -> Result<T, sqlx::Error>
where
    T: TryFrom<i64>,
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(row.try_get::<i64, _>(column)?).map_err(|error| decode_error(column, error))
}

/// A position out of a column.
pub(crate) fn position(row: &PgRow, column: &str) -> Result<Position, sqlx::Error> {
    let sequence: i64 = row.try_get(column)?;
    u64::try_from(sequence).map(Position::new).map_err(|error| decode_error(column, error))
}

/// A time out of a column.
pub(crate) fn time(row: &PgRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    row.try_get::<PgTime, _>(column).map(|time| time.0)
}

/// A time, or none, out of a column.
pub(crate) fn optional_time(row: &PgRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    row.try_get::<Option<PgTime>, _>(column).map(|time| time.map(|time| time.0))
}

/// A column holds what Natter never wrote.
pub(crate) fn decode_error(column: &str, error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) }
}
