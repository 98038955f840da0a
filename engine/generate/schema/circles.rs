//! Schemas that hold where they themselves hold: they say nothing, and the engine would read them for ever.

use std::collections::HashMap;

/// One of the schemas that lead back to themselves, of pairs of a schema and one that holds where it does.
pub(super) fn stuck(edges: &[(usize, usize)]) -> Option<usize> {
    let mut waiting: HashMap<usize, usize> = HashMap::new();
    let mut users: HashMap<usize, Vec<usize>> = HashMap::new();
    for (user, used) in edges {
        *waiting.entry(*user).or_default() += 1;
        waiting.entry(*used).or_default();
        users.entry(*used).or_default().push(*user);
    }
    // Whoever leads only to schemas that lead nowhere leads nowhere.
    let mut free: Vec<usize> = waiting.iter().filter(|(_, count)| **count == 0).map(|(schema, _)| *schema).collect();
    while let Some(schema) = free.pop() {
        waiting.remove(&schema);
        for user in users.get(&schema).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    free.push(*user);
                }
            }
        }
    }
    waiting.into_keys().min()
}
