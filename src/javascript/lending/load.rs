//! The load: decides whether the JavaScript thread borrows connections. That thread runs the code here.

use super::batch_kind::BatchKind;

/// The load of one bridge: a score that batches of few requests raise and batches of many lower.
#[derive(Default)]
pub struct Load(i32);

impl Load {
    /// Score at which the load counts as light.
    const LIGHT: i32 = 4;
    /// Highest score: older batches of few requests do not count.
    const LIGHTEST: i32 = 16;
    /// Lowest score: older batches of many requests do not count.
    const HEAVIEST: i32 = -48;
    /// Points that a batch of many requests takes; one of few gives a point.
    const MANY: i32 = 16;

    /// Counts a batch.
    pub fn weigh(&mut self, batch: &BatchKind) {
        match batch {
            BatchKind::Few(_) => self.0 = (self.0 + 1).min(Self::LIGHTEST),
            BatchKind::Many(_) => self.0 = (self.0 - Self::MANY).max(Self::HEAVIEST),
            BatchKind::Other => {}
        }
    }

    /// Tells whether few requests are in progress at a time.
    pub fn is_light(&self) -> bool {
        self.0 >= Self::LIGHT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_light_after_some_batches_of_few_requests_and_heavy_after_one_of_many() {
        let mut load = Load::default();
        let few = BatchKind::Few(Vec::new());
        for _ in 0..Load::LIGHT {
            assert!(!load.is_light());
            load.weigh(&few);
        }
        assert!(load.is_light());
        load.weigh(&BatchKind::Other);
        assert!(load.is_light());
        (0..100).for_each(|_| load.weigh(&few));
        load.weigh(&BatchKind::Many(Vec::new()));
        assert!(!load.is_light());
        (0..100).for_each(|_| load.weigh(&BatchKind::Many(Vec::new())));
        let again = (0..1000).find(|_| {
            load.weigh(&few);
            load.is_light()
        });
        assert_eq!(again, Some(51));
    }
}
