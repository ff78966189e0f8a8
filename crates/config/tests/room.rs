//! What a service takes in memory: a host may have thousands.

use hinoban_config::{Branch, Condition, Rule, Service, Then};

#[test]
fn what_there_are_many_of_is_small() {
    let sizes = [
        ("a service", size_of::<Service>(), 560),
        ("a rule", size_of::<Rule>(), 248),
        ("a branch", size_of::<Branch>(), 72),
        ("what is done", size_of::<Then>(), 24),
        ("a condition", size_of::<Condition>(), 64),
    ];
    for (what, takes, may) in sizes {
        assert!(takes <= may, "{what} takes {takes} bytes, and may take {may}");
    }
}
