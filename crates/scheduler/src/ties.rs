//! Which service depends on which, by their positions.

use std::collections::HashMap;

use crate::watched::Watched;

/// The dependencies of a configuration. Empty where there are none.
#[derive(Debug, Default)]
pub(crate) struct Ties {
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
    /// Each after all that it depends on.
    rank: Vec<usize>,
}

impl Ties {
    /// Names that are no service's are passed over, and so is what would close a circle: a configuration that was checked
    /// has neither.
    pub(crate) fn of(services: &[Watched]) -> Self {
        if services.iter().all(|w| w.service.depends_on.is_empty()) {
            return Self::default();
        }
        let names: HashMap<String, usize> = services
            .iter()
            .enumerate()
            .filter(|(_, w)| !w.leaving)
            .map(|(i, w)| (w.name.to_lowercase(), i))
            .collect();
        let mut ties = Self {
            parents: vec![Vec::new(); services.len()],
            children: vec![Vec::new(); services.len()],
            rank: vec![usize::MAX; services.len()],
        };
        for (i, watched) in services.iter().enumerate().filter(|(_, w)| !w.leaving) {
            for wanted in &watched.service.depends_on {
                let parent = names.get(&wanted.name.to_lowercase()).copied();
                if let Some(parent) = parent.filter(|p| *p != i && !ties.parents[i].contains(p)) {
                    ties.parents[i].push(parent);
                    ties.children[parent].push(i);
                }
            }
        }
        // Those come next whose parents have all come; what is left goes round in circles.
        let mut missing: Vec<usize> = ties.parents.iter().map(Vec::len).collect();
        let mut next: Vec<usize> = (0..services.len()).filter(|i| missing[*i] == 0).collect();
        let mut at = 0;
        while let Some(i) = next.get(at).copied() {
            ties.rank[i] = at;
            at += 1;
            for child in &ties.children[i] {
                missing[*child] -= 1;
                if missing[*child] == 0 {
                    next.push(*child);
                }
            }
        }
        let circular = |i: &usize| ties.rank[*i] == usize::MAX;
        for i in (0..services.len()).filter(circular).collect::<Vec<_>>() {
            for parent in std::mem::take(&mut ties.parents[i]) {
                ties.children[parent].retain(|child| *child != i);
            }
        }
        ties
    }

    /// Whether nothing depends on anything.
    pub(crate) fn none(&self) -> bool {
        self.rank.is_empty()
    }

    /// What this service depends on itself.
    pub(crate) fn parents(&self, i: usize) -> &[usize] {
        self.parents.get(i).map_or(&[], Vec::as_slice)
    }

    /// What depends on this service itself.
    pub(crate) fn children(&self, i: usize) -> &[usize] {
        self.children.get(i).map_or(&[], Vec::as_slice)
    }

    /// The place of a service in an order in which each comes after all that it depends on.
    pub(crate) fn rank(&self, i: usize) -> usize {
        self.rank.get(i).copied().unwrap_or(i)
    }

    /// All that this service depends on, however far; what comes first is first.
    pub(crate) fn ancestors(&self, i: usize) -> Vec<usize> {
        self.reach(i, &self.parents)
    }

    /// All that depends on this service, however far; what comes first is first.
    pub(crate) fn descendants(&self, i: usize) -> Vec<usize> {
        self.reach(i, &self.children)
    }

    fn reach(&self, i: usize, edges: &[Vec<usize>]) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut seen = std::collections::HashSet::from([i]);
        let mut open = vec![i];
        while let Some(at) = open.pop() {
            for next in edges.get(at).into_iter().flatten() {
                if seen.insert(*next) {
                    found.push(*next);
                    open.push(*next);
                }
            }
        }
        found.sort_by_key(|at| self.rank(*at));
        found
    }
}
