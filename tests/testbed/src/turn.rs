//! How tests share what there is only so much of, and how long each took without its wait for that.

use std::{
    cell::Cell,
    fmt,
    fs::File,
    io,
    ops::Deref,
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

thread_local! {
    /// How long the test on this thread has waited for its turns.
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Says how long a test took, which the harness does not, without its waits for a turn; the suite reads it.
pub fn timed<T>(name: &str, story: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    WAITED.set(Duration::ZERO);
    let ended = story();
    println!("testbed: took {:.2} s: {name}", began.elapsed().saturating_sub(WAITED.get()).as_secs_f64());
    ended
}

fn not_counted<T>(wait: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let came = wait();
    WAITED.set(WAITED.get() + began.elapsed());
    came
}

/// A test's turn among those that take the same one.
pub fn turn(of: &'static Mutex<()>) -> MutexGuard<'static, ()> {
    not_counted(|| of.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A few things of a kind, each made when it is needed first and lent to one test at a time: a control plane that a test
/// turns over, and the next test finds as it was.
pub struct Pool<T: 'static> {
    shelf: Mutex<Shelf<T>>,
    back: Condvar,
}

struct Shelf<T: 'static> {
    /// How many may be made yet, and the number of the next.
    left: usize,
    next: usize,
    free: Vec<&'static T>,
}

impl<T> Pool<T> {
    pub const fn of(limit: usize) -> Self {
        Self { shelf: Mutex::new(Shelf { left: limit, next: 1, free: Vec::new() }), back: Condvar::new() }
    }

    /// One that nobody has, as soon as there is one; `make` makes another while there may be more, and is told its number,
    /// from 1. None is ever taken down: that is for the lab's end.
    ///
    /// # Errors
    /// What `make` failed with; the next test tries again.
    pub fn take(&'static self, make: impl FnOnce(usize) -> Result<T>) -> Result<Lent<T>> {
        let number = not_counted(|| {
            let mut shelf = self.shelf();
            loop {
                if let Some(thing) = shelf.free.pop() {
                    return Err(Lent { thing, pool: self });
                }
                if shelf.left > 0 {
                    shelf.left -= 1;
                    shelf.next += 1;
                    return Ok(shelf.next - 1);
                }
                shelf = self.back.wait(shelf).unwrap_or_else(PoisonError::into_inner);
            }
        });
        let number = match number {
            Ok(number) => number,
            Err(lent) => return Ok(lent),
        };
        match make(number) {
            Ok(thing) => Ok(Lent { thing: Box::leak(Box::new(thing)), pool: self }),
            Err(error) => {
                self.shelf().left += 1;
                self.back.notify_one();
                Err(error)
            }
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thing of a [`Pool`], given back when dropped.
pub struct Lent<T: 'static> {
    thing: &'static T,
    pool: &'static Pool<T>,
}

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.thing
    }
}

impl<T> fmt::Debug for Lent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        self.pool.shelf().free.push(self.thing);
        self.pool.back.notify_one();
    }
}

/// How long somebody who waits for a place pauses before looking again.
const LOOK: Duration = Duration::from_millis(200);

/// The right to blow beside others, or alone, on a machine of so many places, which its processes share by lock files in a folder.
/// Given back when dropped, or when its process ends.
#[derive(Debug)]
pub struct Place {
    _held: Vec<File>,
}

impl Place {
    /// Waits for one of so many places, and then until nobody is alone or waits for that: for what takes much of a processor.
    pub(crate) fn one_of(folder: &Path, places: usize) -> Result<Self> {
        let place = not_counted(|| {
            loop {
                if let Some(place) = free(folder, places).transpose() {
                    return place;
                }
                thread::sleep(LOOK);
            }
        })?;
        Ok(Self { _held: vec![place, through_the_door(folder, File::lock_shared)?] })
    }

    /// Waits until nobody else is there, and keeps those out that come later: for what nothing of its kind may disturb.
    pub(crate) fn alone(folder: &Path) -> Result<Self> {
        Ok(Self { _held: vec![through_the_door(folder, File::lock)?] })
    }

    /// One of the places, if one is free, for whoever only keeps it from the others.
    pub(crate) fn kept(folder: &Path, places: usize) -> Result<Option<Self>> {
        Ok(free(folder, places)?.map(|place| Self { _held: vec![place] }))
    }
}

fn free(folder: &Path, places: usize) -> Result<Option<File>> {
    for number in 1..=places.max(1) {
        let place = lock_file(folder, &format!("place-{number}"))?;
        if place.try_lock().is_ok() {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// One after the other goes through a door, behind which there are all who blow, or the one who is alone.
fn through_the_door(folder: &Path, enter: impl FnOnce(&File) -> io::Result<()>) -> Result<File> {
    let (door, inside) = (lock_file(folder, "door")?, lock_file(folder, "inside")?);
    not_counted(|| door.lock().and_then(|()| enter(&inside)))?;
    Ok(inside)
}

fn lock_file(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(format!("{name}.lock"));
    File::create(&path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_pool_makes_no_more_than_it_may_and_lends_each_to_one() {
        static POOL: Pool<AtomicUsize> = Pool::of(2);
        static MADE: AtomicUsize = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let one = POOL.take(|_| {
                        MADE.fetch_add(1, SeqCst);
                        Ok(AtomicUsize::new(0))
                    });
                    let one = one.unwrap();
                    assert_eq!(one.fetch_add(1, SeqCst), 0, "another has it, too");
                    thread::yield_now();
                    one.fetch_sub(1, SeqCst);
                });
            }
        });
        assert!((1..=2).contains(&MADE.load(SeqCst)));
    }

    #[test]
    fn what_could_not_be_made_is_tried_again() {
        static POOL: Pool<u8> = Pool::of(1);
        assert!(POOL.take(|_| Err(anyhow!("no room"))).is_err());
        assert_eq!(*POOL.take(|_| Ok(7)).unwrap(), 7);
        assert_eq!(*POOL.take(|_| Err(anyhow!("it is there"))).unwrap(), 7);
    }

    #[test]
    fn a_place_is_one_holders_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Place::one_of(folder.path(), 2).unwrap();
        let second = Place::kept(folder.path(), 2).unwrap().unwrap();
        assert!(Place::kept(folder.path(), 2).unwrap().is_none());
        let third = thread::spawn({
            let folder = folder.path().to_owned();
            move || Place::one_of(&folder, 2).map(drop)
        });
        assert!(!third.is_finished());
        drop(first);
        third.join().unwrap().unwrap();
        drop(second);
    }

    #[test]
    fn whoever_is_alone_keeps_everybody_out_and_comes_before_those_who_come_later() {
        let folder = tempfile::tempdir().unwrap();
        let later = |place: fn(&Path) -> Result<Place>| {
            let folder = folder.path().to_owned();
            let waits = thread::spawn(move || place(&folder));
            // Time enough for it to have come in if it could.
            thread::sleep(LOOK * 3);
            assert!(!waits.is_finished());
            waits
        };
        let one_of_two: fn(&Path) -> Result<Place> = |folder| Place::one_of(folder, 2);
        let alone = Place::alone(folder.path()).unwrap();
        let one = later(one_of_two);
        drop(alone);
        let one = one.join().unwrap().unwrap();
        // A place that is only kept keeps nobody from being alone.
        let kept = Place::kept(folder.path(), 2).unwrap().unwrap();
        let alone = later(Place::alone);
        drop(kept);
        let other = later(one_of_two);
        drop(one);
        let alone = alone.join().unwrap().unwrap();
        thread::sleep(LOOK * 3);
        assert!(!other.is_finished());
        drop(alone);
        other.join().unwrap().unwrap();
    }
}
