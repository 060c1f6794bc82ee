//! How times stand in Django's columns.

use jiff::civil::DateTime;
use natter_model::timestamp::Timestamp;
use natter_store_pg::PgTime;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Postgres, Sqlite, Type};

/// A `timestamptz`, or the text that Django writes into SQLite: UTC, without saying so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Type<Postgres> for Time {
    fn type_info() -> PgTypeInfo {
        PgTime::type_info()
    }
}

impl PgHasArrayType for Time {
    fn array_type_info() -> PgTypeInfo {
        PgTime::array_type_info()
    }
}

impl Encode<'_, Postgres> for Time {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        PgTime(self.0).encode_by_ref(buffer)
    }
}

impl Decode<'_, Postgres> for Time {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        PgTime::decode(value).map(|time| Self(time.0))
    }
}

impl Type<Sqlite> for Time {
    fn type_info() -> SqliteTypeInfo {
        <str as Type<Sqlite>>::type_info()
    }

    fn compatible(ty: &SqliteTypeInfo) -> bool {
        // Of a value that is none, the column says what it would be.
        <str as Type<Sqlite>>::compatible(ty) || ty.to_string() == "DATETIME"
    }
}

impl Encode<'_, Sqlite> for Time {
    fn encode_by_ref(&self, arguments: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(to_text(self.0), arguments)
    }
}

impl Decode<'_, Sqlite> for Time {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        let text = <&str as Decode<Sqlite>>::decode(value)?;
        Ok(Self(of_text(text).ok_or("a time that is not written as Django writes times")?))
    }
}

/// Where Unix time begins.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// `2025-11-13 10:05:00.123456`: six digits behind the second, or none at exactly 0 µs.
fn to_text(at: Timestamp) -> String {
    let frame = at.to_frame();
    frame.strip_suffix("+00:00").unwrap_or(&frame).to_owned()
}

fn of_text(text: &str) -> Option<Timestamp> {
    // A day alone would be taken for its first moment.
    let civil: DateTime = text.contains([' ', 'T']).then(|| text.parse().ok())??;
    // Not by way of a moment in jiff's sense: those end a day before Django's last one.
    let since_epoch = civil.duration_since(EPOCH).as_micros();
    i64::try_from(since_epoch).ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_comes_back_as_it_was() {
        for micros in [0, 1_763_028_300_123_456, 1_763_028_300_000_000, -1, 253_402_200_000_000_000] {
            let at = Timestamp::from_micros(micros);
            assert_eq!(of_text(&to_text(at)), Some(at), "{}", to_text(at));
        }
        assert_eq!(to_text(Timestamp::from_micros(1_763_028_300_000_000)), "2025-11-13 10:05:00");
        assert_eq!(of_text("2025-11-13"), None);
        assert_eq!(of_text("yesterday"), None);
    }
}
