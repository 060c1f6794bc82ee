//! Where a page begins.

use crate::messages::{PageNumber, PageQuery};

/// A page among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// How many pages there are, at least 1.
    pub pages: u64,
    /// The page's number, from 1; `None`: there is no such page.
    pub number: Option<u64>,
    /// How many messages stand on the pages before it.
    pub offset: u64,
}

impl Place {
    /// Where the page that was asked for lies among `count` messages.
    pub fn of(query: &PageQuery, count: u64) -> Self {
        let size = u64::from(query.size.max(1));
        let pages = count.div_ceil(size).max(1);
        let number = match query.page {
            PageNumber::Last => Some(pages),
            PageNumber::Number(number) => Some(number).filter(|number| (1..=pages).contains(number)),
        };
        Self { pages, number, offset: number.map_or(0, |number| (number - 1) * size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Deleted, Order};

    fn place(count: u64, size: u32, page: PageNumber) -> Place {
        let query =
            PageQuery { conversations: Vec::new(), order: Order::OldestFirst, deleted: Deleted::Included, page, size };
        Place::of(&query, count)
    }

    #[test]
    fn an_empty_list_has_one_page() {
        assert_eq!(place(0, 50, PageNumber::Number(1)), Place { pages: 1, number: Some(1), offset: 0 });
        assert_eq!(place(0, 50, PageNumber::Last), Place { pages: 1, number: Some(1), offset: 0 });
    }

    #[test]
    fn the_last_page_may_be_full() {
        assert_eq!(place(100, 50, PageNumber::Last), Place { pages: 2, number: Some(2), offset: 50 });
        assert_eq!(place(101, 50, PageNumber::Last), Place { pages: 3, number: Some(3), offset: 100 });
    }

    #[test]
    fn there_is_no_page_zero_and_none_behind_the_last() {
        assert_eq!(place(100, 50, PageNumber::Number(0)).number, None);
        assert_eq!(place(100, 50, PageNumber::Number(3)).number, None);
        assert_eq!(place(100, 50, PageNumber::Number(u64::MAX)).number, None);
    }
}
